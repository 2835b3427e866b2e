--@include write
--@include queue
--@include order
--@include record
-- Puts messages into the indexes of their states, and takes them out. These are the only functions
-- that change an index of ready or scheduled messages together with the count.

local function place_expiry(queue, message)
  local expiry = expiry_of(message)
  if expiry > 0 then
    zadd(queue.key.ttl, expiry, message.key)
    expect(queue, expiry)
  end
end

-- Of the ready ones: those that may be handed out, in order.
local function index_of(queue, message)
  return message.is_suspect and queue.key.suspects or queue.key.ready
end

local function place_ready(queue, message)
  zadd(index_of(queue, message), score_of(message.priority, message.sequence), message.key)
  queue.ready = queue.ready + 1
  place_expiry(queue, message)
  tell(queue, READY)
end

-- Ready, but not to be handed out now.
local function place_blocked(queue, message)
  zadd(queue.key.blocked, score_of(message.priority, message.sequence), message.key)
  queue.ready = queue.ready + 1
  place_expiry(queue, message)
end

local function place_scheduled(queue, message)
  zadd(queue.key.sched, message.available, member_of(message.key))
  queue.scheduled = queue.scheduled + 1
  place_expiry(queue, message)
  expect(queue, message.available)
end

local function place_by_time(queue, message)
  if message.available > now then
    place_scheduled(queue, message)
  else
    place_ready(queue, message)
  end
end

-- So many more are in a tail.
local function lengthen_tail(queue, priority, count)
  local tails = tails_of(queue)
  local tail = tails[priority]
  if not tail then
    tail = { cursor = 0, count = 0 }
    tails[priority] = tail
  end
  tail.count, tail.is_changed = tail.count + count, true
  queue.ready = queue.ready + count
end

-- Appends a message to the tail of its stream.
local function place_in_tail(queue, priority, sequence, record)
  local id = entry_id(sequence, struct.unpack('>I6', record))
  xadd(stream_of(queue, priority), id, string.sub(record, REST_AT))
  lengthen_tail(queue, priority, 1)
end

-- A message of a tail is there no more; nobody else's place changes.
local function leave_tail(queue, message)
  local tail = tails_of(queue)[message.priority]
  tail.count, tail.is_changed = tail.count - 1, true
end

-- Who waits behind others of the group, in order of their sequences.
local function waiting_of(queue, group)
  return queue.key['w:' .. group]
end

-- Who has a slot of the group, but as many are leased as it has slots now: there were more before.
local function crowded_out_of(queue, group)
  return queue.key['h:' .. group]
end

-- Keeps a ready message out of the way of those that may be handed out.
local function set_aside(queue, message)
  zrem(index_of(queue, message), message.key)
  zadd(queue.key.blocked, score_of(message.priority, message.sequence), message.key)
end

local function reinstate(queue, message)
  zrem(queue.key.blocked, message.key)
  zadd(index_of(queue, message), score_of(message.priority, message.sequence), message.key)
  tell(queue, READY)
end

local function unplace_ready(queue, message)
  local key = queue.key
  queue.ready = queue.ready - 1
  if zrem(index_of(queue, message), message.key) then
    return
  end
  if not zrem(key.blocked, message.key) then
    leave_tail(queue, message)
  elseif message.is_waiting then
    zrem(waiting_of(queue, message.group), message.key)
  elseif message.group then
    zrem(crowded_out_of(queue, message.group), message.key)
    zrem(key.throttled, message.key)
  end
end

-- ready or scheduled -> in no index.
local function unplace(queue, message)
  if not message.in_stream and zrem(queue.key.sched, member_of(message.key)) then
    queue.scheduled = queue.scheduled - 1
  else
    unplace_ready(queue, message)
  end
  if expiry_of(message) > 0 then
    zrem(queue.key.ttl, message.key)
  end
end
