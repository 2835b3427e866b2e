--@include transfer
--@include attempt
--@include room
--@include send
--@include spare
-- Takes room in one place for copies that are to come, if they may.
-- ARGV: the request as JSON (cluster/copies.ts), then of each copy its content or record. `before`
-- are copies of the same transfer that were asked for in other calls; `credit` is room that is about
-- to be free. With `extra`, how many messages
-- and bytes to think of as stored, it is a trial: nothing is changed.
-- Answers: news, and for each copy { 'held', id, evicted, 1 if it will be no new message, the room
-- that it takes: messages, bytes }, { 'duplicate', id }, { 'known' }, { 'full', bound }, { 'missing' }
-- or { 'refused' }.
local request = cjson.decode(ARGV[FIRST])
if request.isMoving then
  insist()
end
local queue = open_queue(KEYS[1], request.ref)

local function sent_copy(item, content)
  local sequence, id = next_sequence(queue), item.run.id and from_hex(item.run.id)
  local copy = {
    ref = request.ref,
    home = item.home,
    transfer = item.transfer,
    sequence = sequence,
    size = 1,
    bytes = struct.unpack('>I4', content),
    run = item.run,
    content = content,
    id = id,
    timestamp = now,
  }
  return copy, id or make_id(queue, now, sequence)
end

local function moved_copy(item, record)
  local sequence, id = next_sequence(queue), from_hex(item.id)
  local copy = {
    ref = request.ref,
    home = item.home,
    transfer = item.transfer,
    sequence = sequence,
    size = 1,
    bytes = item.bytes,
    record = record,
    message = { priority = item.priority, group = item.group },
    id = id,
    is_copy = item.isCopy,
    deaths = from_hex(item.deaths),
  }
  return copy, item.isCopy and make_id(queue, struct.unpack('>I6', record), sequence) or id
end

-- What comes with the same transfer, by what it is told apart by.
local coming = {}

local function coming_as(item, kind)
  local name = kind .. ' ' .. item.transfer
  coming[name] = coming[name] or {}
  return coming[name]
end

-- Notes a copy for which room is taken, for those after it.
local function note_coming(item, bytes)
  local run = item.run
  if run and run.keepLast then
    coming_as(item, 'keep')[run.deduplicationId] = bytes
  elseif run and window_of(queue, run) > 0 then
    coming_as(item, 'id')[run.deduplicationId] = true
  end
  if run and run.fence then
    coming_as(item, 'fence')[run.fence.key] = run.fence.value
  end
end

-- Whether one with its deduplicationId comes before it.
local function is_coming(item)
  return window_of(queue, item.run) > 0 and coming_as(item, 'id')[item.run.deduplicationId]
end

-- Whether the copy will be a duplicate of one that comes before it.
local function comes_twice(item)
  local run = item.run
  if not run then
    return false
  end
  local fence = run.fence and coming_as(item, 'fence')[run.fence.key]
  return is_coming(item) or fence and run.fence.value <= fence
end

local function duplicate_of(item)
  if item.known and find_by_id(queue, from_hex(item.known)) then
    return { 'known' }
  end
  local sent = find_sent(queue, item.run)
  -- What a fence keeps out has no id to name; what comes before it will.
  if sent == '' and is_coming(item) then
    return nil
  end
  return sent and { 'duplicate', sent }
end

-- Takes room for a message that takes the place of another, of so many bytes, if that is still there
-- when it comes: only what it has more.
local function take_more(copy, bytes, evicted)
  copy.size, copy.bytes = 0, math.max(0, copy.bytes - bytes)
  return copy.bytes > 0 and make_room(queue, copy.bytes, evicted, true) or nil
end

-- Answers the bound that leaves no room, or nil; and whether another is there in its place, or the
-- other way round.
local function take_room(item, copy, evicted)
  if comes_twice(item) then
    copy.size, copy.bytes = 0, 0
    return nil, true
  end
  if copy.bytes > (queue.ref.maxBytes or math.huge) then
    return 'maxBytes'
  end
  local keep_last = item.run and item.run.keepLast and item.run.deduplicationId
  local before = keep_last and coming_as(item, 'keep')[keep_last]
  if before then
    return take_more(copy, before, evicted), true
  end
  local is_no_news = false
  local limit = sparing(queue, keep_last, function(replaced)
    is_no_news = replaced ~= nil
    if is_no_news then
      return take_more(copy, replaced.bytes, evicted)
    end
    return make_room(queue, copy.bytes, evicted)
  end)
  return limit, is_no_news
end

local function reserve(item, content)
  if queue.is_deleted then
    return { 'missing' }, true
  end
  if is_refused(queue, item.transfer) then
    return { 'refused' }, true
  end
  local duplicate = item.run and duplicate_of(item)
  if duplicate then
    return duplicate
  end
  local evicted = {}
  local copy, id = (item.run and sent_copy or moved_copy)(item, content)
  local bytes = copy.bytes
  local limit, is_no_news = take_room(item, copy, evicted)
  if limit then
    return { 'full', limit }, true
  end
  note_coming(item, bytes)
  hold(queue, item.name, copy)
  return { 'held', id, evicted, is_no_news and 1 or 0, copy.size, copy.bytes }
end

for _, item in ipairs(request.before or {}) do
  note_coming(item, item.run.bytes)
end
-- What is leased, and about to go, takes no room where a bound does not count it.
local credit = not queue.ref.countsWaiting and request.credit or { size = 0, bytes = 0 }
local extra = request.extra
queue.leased, queue.bytes = queue.leased - credit.size, queue.bytes - credit.bytes
local outcomes = {}
for index, item in ipairs(request.items) do
  outcomes[index] = attempt(function()
    if extra then
      queue.leased, queue.bytes = queue.leased + extra.size, queue.bytes + extra.bytes
    end
    local outcome, is_refused = reserve(item, ARGV[FIRST + index])
    return outcome, is_refused or extra
  end)
  if outcomes[index][1] == 'full' then
    redis.call('HSET', queue.key.q, 'thirsty', 1)
  end
end
queue.leased, queue.bytes = queue.leased + credit.size, queue.bytes + credit.bytes
return { close_queues(), outcomes }
