--@include queue
--@include order
--@include record
-- Finds stored messages.

-- One of those in `m`. Its record is read only where it is needed.
local function find_stated(queue, key)
  local state = redis.call('HGET', queue.key.a, key)
  return state and unpack_state(key, state)
end

local function find_in_streams(queue, key)
  for priority in pairs(tails_of(queue)) do
    local entry = redis.call('XRANGE', stream_of(queue, priority), key, key)[1]
    if entry then
      return untouched(priority, entry)
    end
  end
end

-- The message with this key, or nil.
local function find(queue, key)
  return find_stated(queue, key) or find_in_streams(queue, key)
end

local function record_of(queue, message)
  if not message.record then
    message.record = redis.call('HGET', queue.key.m, message.key)
  end
  return message.record
end

-- The message with this id, or nil. One that came back has an id of this queue, but another key.
local function find_by_id(queue, id)
  local key = redis.call('HGET', queue.key.ids, id) or key_told(queue, id)
  local message = key and find(queue, key)
  if message and id_in(queue, record_of(queue, message), message.sequence) == id then
    return message
  end
  return nil
end

-- Whether a message is leased, by whomever.
local function is_leased(queue, message)
  return redis.call('HEXISTS', queue.key.l, message.key) == 1
end
