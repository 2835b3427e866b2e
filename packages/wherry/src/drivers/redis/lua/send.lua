--@include insert
--@include remove
--@include dedup
-- Stores one message: new, or in the place of another (keepLast).
-- run: what publish.ts says of it

local function from_hex(text)
  return (string.gsub(text, '..', function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- Milliseconds for which the message's deduplicationId stands for it; 0: it does not.
local function window_of(queue, run)
  if not run.deduplicationId or run.keepLast then
    return 0
  end
  return run.window or queue.ref.window or 0
end

-- The id of what was sent in this one's stead, '' if nobody knows it; nil if nothing was.
local function find_sent(queue, run)
  local id = window_of(queue, run) > 0 and sent_before(queue, run.deduplicationId)
  if id then
    return id
  end
  return run.fence and is_behind(queue, run.fence) and '' or nil
end

local function note_sent(queue, run, id)
  local window = window_of(queue, run)
  if window > 0 then
    remember(queue, run.deduplicationId, id, now + window)
  end
  if run.fence then
    hset(queue.key.fence, run.fence.key, string.format('%.17g', run.fence.value))
  end
end

-- The message whose place this one takes, or nil; it is removed.
local function remove_replaced(queue, run)
  local key = run.keepLast and redis.call('HGET', queue.key.keep, run.deduplicationId)
  local message = key and find_stated(queue, key)
  if not message then
    return nil
  end
  record_of(queue, message)
  remove(queue, message)
  -- The one that takes its place does not count.
  queue.arrived = queue.arrived - 1
  return message
end

-- What a message has from its place in the queue.
local function new_place(queue, run, publish_id)
  local id = not publish_id and run.id and from_hex(run.id) or nil
  local sequence = next_sequence(queue)
  return {
    sequence = sequence,
    priority = priority_for(queue, run.priority),
    timestamp = now,
    id = id,
    publish_id = publish_id,
  }
end

local function place_of(replaced)
  local parts = split_record(replaced.record)
  parts.sequence, parts.priority = replaced.sequence, replaced.priority
  return parts
end

-- Answers the message's id.
local function store(queue, run, content, place)
  local parts = split_record(struct.pack('>I6', place.timestamp) .. content)
  local begun = place.begun or now
  parts.available = math.min(NEVER, math.max(begun, run.deliverAt or begun + (run.delay or 0)))
  parts.expires = expiry_at(queue, parts.available, run.ttl)
  parts.id, parts.publish_id = place.id, place.publish_id
  local message =
    new_message(place.sequence, place.priority, parts.bytes, parts.available, parts.expires)
  message.group, message.keep = run.group, run.keepLast and run.deduplicationId or nil
  message.is_late = place.is_late
  insert(queue, message, join_record(parts), place.id)
  local id = place.id or make_id(queue, place.timestamp, place.sequence)
  note_sent(queue, run, id)
  return id
end
