--@include call
--@include remove
-- ready and scheduled -> gone, in parts: so that no script holds up the server for long.
-- ARGV: the queue's settings as JSON, up to which sequence ('': what is there now)
-- Answers: news, that sequence, how many went: it is to be called again until none does.
insist()
local PART = 1000
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))
if queue.is_deleted then
  return 'missing'
end
local last = tonumber(ARGV[FIRST + 1]) or queue.seq
local removed = 0

-- to_key: from a member of the index
local function purge_index(index, to_key)
  local newer = 0
  while removed < PART do
    local members = redis.call('ZRANGE', index, newer, newer + PART - removed - 1)
    if #members == 0 then
      return
    end
    for _, member in ipairs(members) do
      local key = to_key(member)
      -- The first of a group to go may let another one out of this index.
      local message = tonumber(key) <= last and find(queue, key)
      if message then
        remove(queue, message)
        removed = removed + 1
      else
        newer = newer + 1
      end
    end
  end
end

local function purge_tail(priority, tail)
  local from, to = key_of(tail.cursor + 1), key_of(last)
  local stream = stream_of(queue, priority)
  local entries = redis.call('XRANGE', stream, from, to, 'COUNT', PART - removed)
  for _, entry in ipairs(entries) do
    remove(queue, untouched(priority, entry))
  end
  removed = removed + #entries
end

-- Those who wait go before those they wait for.
local function itself(key)
  return key
end
for _, name in ipairs({ 'blocked', 'ready', 'suspects' }) do
  purge_index(queue.key[name], itself)
end
purge_index(queue.key.sched, key_in_member)
for priority, tail in pairs(tails_of(queue)) do
  if tail.count > 0 and removed < PART then
    purge_tail(priority, tail)
  end
end
return { close_queues(), last, removed }
