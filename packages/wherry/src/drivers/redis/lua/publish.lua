--@include call
--@include attempt
--@include room
--@include send
-- new -> ready or scheduled.
-- ARGV: the request as JSON (publish.ts); of each message the length of its content u32 and the
-- content; but where that is long, 0, and the content is an argument of its own behind these
--   A run is `count` messages with the same `to` (places in KEYS), priority, ttl and so on. Only
--   plain ones come several to a run: with one target, available at once, with nothing to look up.
-- Answers: news, the time, and for each run the sequence of its first message, if all are stored
-- with the sequences that follow; else a list of outcomes:
--   { status, ids, evicted (room.lua) }, { 'full', place, bound } or { 'missing', place }
-- and, when all were asked for and one was refused, its outcome alone.

local request = cjson.decode(ARGV[FIRST])
for index, base in ipairs(KEYS) do
  open_queue(base, request.refs[index])
end

local contents, content_at, next_long = ARGV[FIRST + 1], 1, FIRST + 2
local function next_content()
  local content
  content, content_at = struct.unpack('>I4c0', contents, content_at)
  if content == '' then
    content, next_long = ARGV[next_long], next_long + 1
  end
  return content
end

local function is_known(run)
  for _, index in ipairs(run.id and run.to or {}) do
    if find_by_id(queues[index], from_hex(run.id)) then
      return true
    end
  end
  return false
end

-- Stores a copy in every target. Answers the outcome and whether it is a refusal: then what was
-- done must be undone.
local function publish_item(run, content)
  for _, index in ipairs(run.to) do
    if queues[index].is_deleted then
      return { 'missing', index }, true
    end
  end
  if is_known(run) then
    return { 'duplicate', { from_hex(run.id) }, {} }
  end
  local bytes = struct.unpack('>I4', content)
  local ids, evicted, publish_id, status = {}, {}, nil, 'duplicate'
  for position, index in ipairs(run.to) do
    local queue = queues[index]
    local id = find_sent(queue, run)
    if not id then
      local replaced = remove_replaced(queue, run)
      local needs_room = not replaced or bytes > replaced.bytes
      local limit = needs_room and make_room(queue, bytes, evicted, replaced)
      if limit then
        return { 'full', index, limit }, true
      end
      if replaced then
        id = store(queue, run, content, place_of(replaced))
        status = status == 'stored' and status or 'replaced'
      else
        id = store(queue, run, content, new_place(queue, run, publish_id))
        publish_id, status = publish_id or id, 'stored'
      end
    end
    ids[position] = id
  end
  return { status, ids, evicted }
end

local function may_leave_traces(run)
  local is_evicting = queues[run.to[1]].ref.dropOldest
  return not inverses and (#run.to > 1 or is_evicting or run.keepLast)
end

local function publish_each(run)
  local outcomes = {}
  for index = 1, run.count do
    local content, outcome, is_refused = next_content(), nil, nil
    local function publish_one()
      return publish_item(run, content)
    end
    if may_leave_traces(run) then
      outcome, is_refused = attempt(publish_one)
    else
      outcome, is_refused = publish_one()
    end
    if outcome[1] == 'full' then
      redis.call('HSET', queues[outcome[2]].key.q, 'thirsty', 1)
    end
    if is_refused and request.atomic then
      return outcome, true
    end
    outcomes[index] = outcome
  end
  return outcomes
end

-- A content with times is what a stream holds of a message with times.
local function with_times(content, times)
  local flags = string.char(string.byte(content, REST_FLAGS_AT) + HAS_TIMES)
  local before, behind = REST_FLAGS_AT - 1, REST_FLAGS_AT + 1
  return string.sub(content, 1, before) .. flags .. times .. string.sub(content, behind)
end

-- Many plain messages at once. Answers the sequence of the first, or nil: not all may be stored.
local function publish_run(run)
  local queue = queues[run.to[1]]
  local ref, bytes = queue.ref, queue.bytes + run.bytes
  local size = queue.ready + queue.scheduled + queue.leased + run.count
  local is_plain = run.isPlain and not queue.is_deleted
  if not is_plain or size > (ref.maxSize or math.huge) or bytes > (ref.maxBytes or math.huge) then
    return nil
  end
  local first, expires = queue.seq + 1, expiry_at(queue, now, run.ttl)
  local priority = priority_for(queue, run.priority)
  local stream, id_end = stream_of(queue, priority), '-' .. key_of(now)
  local times = expires > 0 and struct.pack('>I6I6', now, expires)
  for sequence = first, queue.seq + run.count do
    local key, rest = key_of(sequence), next_content()
    if times then
      rest = with_times(rest, times)
      zadd(queue.key.ttl, expires, key)
      expect(queue, expires)
    end
    xadd(stream, key .. id_end, rest)
  end
  queue.seq, queue.bytes = queue.seq + run.count, bytes
  queue.arrived = queue.arrived + run.count
  lengthen_tail(queue, priority, run.count)
  tell(queue, READY)
  return first
end

local function publish_all()
  local outcomes = {}
  for index, run in ipairs(request.runs) do
    local outcome, is_refused = publish_run(run), false
    if not outcome then
      outcome, is_refused = publish_each(run)
    end
    if is_refused then
      return outcome, true
    end
    outcomes[index] = outcome
  end
  return outcomes
end

if request.atomic then
  local outcome, is_refused = attempt(publish_all)
  return { close_queues(), now, is_refused and {} or outcome, is_refused and outcome or nil }
end
local outcomes = publish_all()
return { close_queues(), now, outcomes }
