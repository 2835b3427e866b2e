--@include call
--@include write
--@include queue
-- What is under way between places of a cluster, which no script reaches both of: copies of messages
-- for several queues, and messages that move from one to another. Each such transfer is decided in
-- one place: that of the first copy, or the one that the message leaves.
--   held       copies that are to come, by copy: their room is taken already
--   departing  messages that are to go, by transfer: leased to the transfer itself
--   decided    transfers that were decided for here, until all places have heard of it
--   refused:…  transfers that were decided against here
--   transfers  when the sweeper is to look after the first three: h, d or y and its name, by moment
-- A place that is asked for a decision that it has not made decides against it, for good.
local HELD, DEPARTING, DECIDED = 'h', 'd', 'y'
local PATIENCE = 10000
local DAY = 24 * 60 * 60 * 1000

local function watch(queue, kind, name)
  zadd(queue.key.transfers, now + PATIENCE, kind .. name)
  expect(queue, now + PATIENCE)
end

local function unwatch(queue, kind, name)
  zrem(queue.key.transfers, kind .. name)
end

local function is_refused(queue, transfer)
  return redis.call('EXISTS', queue.key['refused:' .. transfer]) == 1
end

-- copy: what its message is made of when it comes (reserve.lua), the queue's settings, and the room
-- that it takes: how many messages and bytes
local function hold(queue, name, copy)
  queue.leased = queue.leased + copy.size
  queue.bytes = queue.bytes + copy.bytes
  hset(queue.key.held, name, cmsgpack.pack(copy))
  watch(queue, HELD, name)
end

-- Gives the room back. Answers the copy, or nil.
local function let_go(queue, name)
  local text = redis.call('HGET', queue.key.held, name)
  if not text then
    return nil
  end
  local copy = cmsgpack.unpack(text)
  queue.leased = queue.leased - copy.size
  queue.bytes = queue.bytes - copy.bytes
  hdel(queue.key.held, name)
  unwatch(queue, HELD, name)
  return copy
end

-- others: copies elsewhere that are to hear of it: of each its place, its name, and the id of the
-- first copy of its message (hexadecimal; '': it is the first)
local function decide(queue, transfer, others)
  hset(queue.key.decided, transfer, cmsgpack.pack(others))
  watch(queue, DECIDED, transfer)
end
