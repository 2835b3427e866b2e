--@include call
--@include lease
--@include promote
--@include dedup
--@include rates
--@include due
-- Leases what expired (leases, TTL) to the sweeper, promotes what is due, forgets what is over.
-- KEYS: in one place none, the due index says which queues; in a cluster one queue
-- ARGV: most messages to answer, the sweeper's id, milliseconds of its leases
-- Answers: news, milliseconds until the next is due (-1: nothing is), and for each queue that was
-- swept its number, name, first token, end of the leases, the messages (lease.lua), and of each its
-- cause (LEASE_AFTER_LEASE or LEASE_AFTER_TTL). Their tokens follow one another.
local most, sweeper, duration = tonumber(ARGV[FIRST]), ARGV[FIRST + 1], tonumber(ARGV[FIRST + 2])
local due_index = prefix .. 'due'
insist(KEYS[1] and KEYS[1] .. 'q' or due_index)
-- So that no script holds up the server for long.
local QUEUES_MAX, BATCHES_MAX = 100, 1000

-- A message that a lease or its TTL gave up.
local function take_over(queue, batch, message, mark)
  lease(queue, batch, message, record_of(queue, message), mark)
  batch.causes[#batch.causes + 1] = mark
end

-- Takes over what is left of a batch that has ended, at most `count`. Answers how many.
local function sweep_batch(queue, batch, name, count)
  local ended, swept = tonumber(name), 0
  for key in string.gmatch(redis.call('HGET', queue.key.batches, name), '%d+') do
    local lease_before = redis.call('HGET', queue.key.l, key)
    local held = lease_before and unpack_lease(lease_before)
    if held and held.batch == ended then
      if swept == count or is_full(batch) then
        leave_batches(queue, { [ended] = swept })
        return swept
      end
      local message = find_leased(queue, key, held)
      uncount_lease(queue, message, held)
      local was_after_ttl = has(held.flags, LEASE_AFTER_TTL)
      take_over(queue, batch, message, was_after_ttl and LEASE_AFTER_TTL or LEASE_AFTER_LEASE)
      swept = swept + 1
    end
  end
  end_batch(queue, name)
  return swept
end

local function sweep_leases(queue, batch, count)
  local swept = 0
  local ended = redis.call('ZRANGEBYSCORE', queue.key.ends, '-inf', now, 'LIMIT', 0, BATCHES_MAX)
  for _, name in ipairs(ended) do
    if swept < count and not is_full(batch) then
      swept = swept + sweep_batch(queue, batch, name, count - swept)
    end
  end
  return swept
end

local function sweep_expired(queue, batch, count)
  local keys = redis.call('ZRANGEBYSCORE', queue.key.ttl, '-inf', now, 'LIMIT', 0, count)
  for swept, key in ipairs(keys) do
    if is_full(batch) then
      return swept - 1
    end
    local message = find(queue, key)
    take_out(queue, message)
    take_over(queue, batch, message, LEASE_AFTER_TTL)
  end
  return #keys
end

local function wait_until(moment)
  return moment > 0 and math.max(0, moment - now) or -1
end

-- Bytes of what is answered so far, about.
local size = 0

-- Answers how many messages it leased.
local function sweep_queue(queue, count, swept)
  local batch = leasing(queue, sweeper, now + duration)
  batch.causes, batch.size = {}, size
  local has_more = forget_sent(queue)
  forget_full(queue)
  has_more = promote(queue) or has_more
  local leased = sweep_leases(queue, batch, count)
  leased = leased + sweep_expired(queue, batch, count - leased)
  write_leases(queue, batch)
  queue.due = (has_more or leased == count or is_full(batch)) and now or next_due(queue)
  size = batch.size
  if leased > 0 then
    swept[#swept + 1] =
      { queue.number, queue.name, batch.first_token, batch.ends_at, batch.reply, batch.causes }
  end
  return leased
end

local swept = {}
if not in_one_place then
  local queue = open_queue(KEYS[1])
  sweep_queue(queue, most, swept)
  return { close_queues(), wait_until(queue.due), swept }
end

-- What is in the index may be too early: leases end before their time.
local function look_into(number, left)
  local queue = open_queue(prefix .. '{q' .. number .. '}:')
  local leased = 0
  if queue.is_deleted then
    queue.due = 0
  elseif queue.due <= now then
    leased = sweep_queue(queue, left, swept)
  else
    queue.due = next_due(queue)
  end
  queue.stored.due = queue.due
  redis.call('HSET', queue.key.q, 'due', queue.due)
  if queue.due == 0 then
    redis.call('ZREM', due_index, number)
  else
    redis.call('ZADD', due_index, queue.due, number)
  end
  return leased
end

local left, seen = most, {}
local next_moment
for _ = 1, QUEUES_MAX do
  local first = redis.call('ZRANGE', due_index, 0, 0, 'WITHSCORES')
  next_moment = tonumber(first[2] or 0)
  if next_moment == 0 or seen[first[1]] or left == 0 or size >= REPLY_MAX then
    break
  end
  seen[first[1]] = true
  left = left - look_into(first[1], left)
end
return { close_queues(), wait_until(next_moment), swept }
