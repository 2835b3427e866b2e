--@include call
--@include queue
-- Removes what a queue holds, in parts, and leaves a tombstone: whoever still knows the queue is
-- told that it is gone. Numbers are not used again, so it need not stay for ever.
-- ARGV: 1 to refuse when a message is stored; 2 to refuse then, and else to close the queue as if it
-- were deleted, for its other places to be asked; 3 to open it again
-- Answers: 1 if it is deleted, how many messages there are or were, 1 if there is more to remove.
insist()
local TOMBSTONE_SECONDS = 7 * 24 * 60 * 60
local PART = 1000
local KEYS_OF_ALL = {
  'tails', 'm', 'a', 'ready', 'suspects', 'blocked', 'sched', 'l', 'ends', 'batches', 'left',
  'ttl', 'ids', 'buckets', 'full', 'throttled', 'crowded', 'dedup', 'forget', 'fence', 'keep',
  'held', 'departing', 'transfers',
}

local queue = open_queue(KEYS[1])
local stored = queue.ready + queue.scheduled + queue.leased

local function bury()
  for priority in pairs(tails_of(queue)) do
    redis.call('UNLINK', stream_of(queue, priority))
  end
  for _, name in ipairs(KEYS_OF_ALL) do
    redis.call('UNLINK', queue.key[name])
  end
  redis.call('DEL', queue.key.q)
  redis.call('HSET', queue.key.q, 'deleted', 1)
  redis.call('EXPIRE', queue.key.q, TOMBSTONE_SECONDS)
  -- Other places may still ask for it.
  redis.call('EXPIRE', queue.key.decided, TOMBSTONE_SECONDS)
  if in_one_place then
    redis.call('ZREM', prefix .. 'due', queue.number)
  end
end

-- Groups have keys of their own. Answers whether there are more.
local function bury_groups()
  local fields = redis.call('HSCAN', queue.key.g, 0, 'COUNT', PART)[2]
  for index = 1, #fields, 2 do
    redis.call('UNLINK', queue.key['w:' .. fields[index]], queue.key['h:' .. fields[index]])
    redis.call('HDEL', queue.key.g, fields[index])
  end
  return redis.call('EXISTS', queue.key.g) == 1
end

local how = ARGV[FIRST]
local is_closed = redis.call('HGET', queue.key.q, 'deleted') == 'soon'
if how == '3' then
  if is_closed then
    redis.call('HDEL', queue.key.q, 'deleted')
  end
  return { 0, 0, 0 }
end
if queue.is_deleted and not is_closed then
  if bury_groups() then
    return { 1, 0, 1 }
  end
  return 'missing'
end
if stored > 0 and how ~= '' then
  return { 0, stored, 0 }
end
if how == '2' then
  redis.call('HSET', queue.key.q, 'deleted', 'soon')
  return { 1, 0, 0 }
end
bury()
return { 1, stored, bury_groups() and 1 or 0 }
