--@include groups
-- new -> ready or scheduled.

-- Whether a message may live in a stream: nobody but a taker will touch it, and it is the newest.
local function is_plain(message)
  return message.available <= now and not message.group and not message.keep and not message.is_late
end

-- message: what a state says of it, and its sequence
-- id: if it does not follow from the record's timestamp and the sequence
local function insert(queue, message, record, id)
  queue.arrived = queue.arrived + 1
  queue.bytes = queue.bytes + message.bytes
  message.key = key_of(message.sequence)
  if id then
    hset(queue.key.ids, id, message.key)
  end
  if is_plain(message) then
    message.in_stream = true
    place_in_tail(queue, message.priority, message.sequence, record)
    place_expiry(queue, message)
    tell(queue, READY)
    return
  end
  hset(queue.key.m, message.key, record)
  if message.keep then
    hset(queue.key.keep, message.keep, message.key)
  end
  if message.group and message.available <= now then
    enter_group(queue, message)
  else
    save_state(queue, message)
    place_by_time(queue, message)
  end
end

-- The priority that a message has here: the one that it comes with, or the highest that there is.
local function priority_for(queue, priority)
  return math.min(priority, queue.ref.maxPriority or math.huge)
end

-- A message as it is before anything happened to it.
local function new_message(sequence, priority, bytes, available, expires)
  return {
    sequence = sequence,
    priority = priority,
    bytes = bytes,
    available = available,
    expires = expires,
    retries = 0,
    deliveries = 0,
  }
end

-- When a message ends by its own TTL or the queue's, whichever is shorter; 0: never.
local function expiry_at(queue, available, ttl)
  local shortest = math.min(ttl or math.huge, queue.ref.ttl or math.huge)
  return shortest < math.huge and available + shortest or 0
end
