--@include insert
--@include remove
--@include deaths
-- Bounds (G8), and messages that leave one queue for another.

-- A message as it arrives in another queue: ready, with a new life (G7).
-- id: the message's; is_copy: it gets its own
-- sequence: if it was given one before; is_late: since then, others were given theirs
-- Answers the id it has there.
local function transfer(queue, message, record, id, deaths, is_copy, sequence, is_late)
  local parts = split_record(record)
  sequence = sequence or next_sequence(queue)
  parts.id = not is_copy and id or nil
  parts.publish_id = parts.publish_id or is_copy and id or nil
  parts.available, parts.expires = now, expiry_at(queue, now)
  parts.deaths = deaths
  local priority = priority_for(queue, message.priority)
  local arrived = new_message(sequence, priority, parts.bytes, now, parts.expires)
  arrived.group, arrived.is_late = message.group, is_late
  insert(queue, arrived, join_record(parts), parts.id)
  return parts.id or make_id(queue, parts.timestamp, sequence)
end

-- How many messages are leased. `queue.leased` also counts those that are to come (transfer.lua).
local function leases_of(queue)
  return redis.call('HLEN', queue.key.l) - redis.call('HEXISTS', queue.key.l, NOWHERE)
end

local function leased_bytes(queue)
  local bytes, held = 0, {}
  local leases = redis.call('HGETALL', queue.key.l)
  for index = 1, #leases, 2 do
    if leases[index] ~= NOWHERE then
      bytes = bytes + unpack_lease(leases[index + 1], held).bytes
    end
  end
  return bytes
end

local function exceeded_limit(queue, bytes, is_replacing)
  local ref = queue.ref
  local counts_waiting, max_bytes = ref.countsWaiting, ref.maxBytes or math.huge
  local size = queue.ready + queue.scheduled + queue.leased
  if ref.maxSize and counts_waiting then
    size = size - leases_of(queue)
  end
  if not is_replacing and size + 1 > (ref.maxSize or math.huge) then
    return 'maxSize'
  end
  -- Only what does not fit anyway is worth the walk over all leases.
  local is_over = queue.bytes + bytes > max_bytes
  if is_over and counts_waiting then
    is_over = queue.bytes - leased_bytes(queue) + bytes > max_bytes
  end
  return is_over and 'maxBytes' or nil
end

-- The key that was stored first in an index that is in order; each priority has its own first.
local function first_stored(index)
  local first, from = nil, '-inf'
  while true do
    local head = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #head == 0 then
      return first
    end
    first = math.min(first or math.huge, tonumber(head[1]))
    from = score_of(priority_in(tonumber(head[2])) - 1, 0)
  end
end

-- The ready message that was stored first, or nil.
local function oldest(queue)
  local key = queue.key
  local first = math.huge
  for _, index in ipairs({ key.ready, key.suspects, key.blocked }) do
    first = math.min(first, first_stored(index) or math.huge)
  end
  local untouched_first
  for priority, tail in pairs(tails_of(queue)) do
    if tail.count > 0 then
      local stream, from = stream_of(queue, priority), key_of(tail.cursor + 1)
      local message = untouched(priority, redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1])
      if message.sequence < first then
        first, untouched_first = message.sequence, message
      end
    end
  end
  if untouched_first or first == math.huge then
    return untouched_first
  end
  return find(queue, key_of(first))
end

-- What `drop-oldest` drops next: the oldest ready one, else the scheduled one due first; or nil.
local function next_to_evict(queue)
  local message = oldest(queue)
  if not message then
    local member = redis.call('ZRANGE', queue.key.sched, 0, 0)[1]
    message = member and find_stated(queue, key_in_member(member))
  end
  return message
end

-- What a queue does for another one goes by the settings that the caller gave with that.
local function with_ref(queue, ref, act)
  local own = queue.ref
  queue.ref = ref
  queue.ref.slots = queue.ref.slots or 1
  local result = act()
  queue.ref = own
  return result
end

-- Drops a message to make room. A dead-letter queue drops nothing for what another queue drops.
-- evicted: gets its id, its queue and where it went
-- Answers whether something could be dropped.
local function evict(queue, evicted)
  local evict_to = queue.ref.evictTo
  local target = evict_to and queues[evict_to.place]
  local message = next_to_evict(queue)
  if not message then
    return false
  end
  local may_arrive = not target
    or not target.is_deleted
      and not with_ref(target, evict_to.ref, function()
        return exceeded_limit(target, message.bytes)
      end)
  if not may_arrive then
    return false
  end
  local record = record_of(queue, message)
  local id = id_in(queue, record, message.sequence)
  local tail = message.in_stream and tails_of(queue)[message.priority]
  remove(queue, message)
  if tail and message.sequence > tail.cursor then
    -- It is still in the stream until the end of the script: nobody may come upon it.
    tail.cursor = message.sequence
  end
  if target then
    local death = { queue = queue.name, reason = 'overflow' }
    local deaths = append_death(split_record(record).deaths, death)
    with_ref(target, evict_to.ref, function()
      transfer(target, message, record, id, deaths)
    end)
  end
  evicted[#evicted + 1] = id
  evicted[#evicted + 1] = queue.index
  evicted[#evicted + 1] = target and target.index or 0
  return true
end

-- Makes room for one message, by dropping the oldest if the queue does so.
-- is_replacing: it takes the place of one that was removed
-- Answers nil, or the bound that leaves no room; what was dropped until then must be undone.
local function make_room(queue, bytes, evicted, is_replacing)
  if bytes > (queue.ref.maxBytes or math.huge) then
    return 'maxBytes'
  end
  while true do
    local limit = exceeded_limit(queue, bytes, is_replacing)
    if not limit or not queue.ref.dropOldest or not evict(queue, evicted) then
      return limit
    end
  end
end
