--@include call
--@include attempt
--@include lease
--@include room
-- leased in the queue of KEYS[1] -> ready in each target, at no moment in both or neither (G7).
-- ARGV: the request as JSON (move.ts), receipts
--   Each part of a move goes by the settings that the caller gave for it: `source` for leaving,
--   `refs` for arriving.
-- Answers: news, then of each item: 'lost', { 'missing' | 'full', place in KEYS }, or
-- { 'moved', ids, evicted (room.lua) }.
insist()
local request = cjson.decode(ARGV[FIRST])
for index, base in ipairs(KEYS) do
  open_queue(base, request.refs[index])
end
local source = queues[1]

local function leave_source(held, message, id)
  -- At once: a bound may count it no more.
  hdel(source.key.l, message.key)
  uncount_lease(source, message, held)
  forget(source, message, has(held.flags, LEASE_HAS_ID) and id or nil)
  leave_group(source, message)
end

local function move_item(held, key, id, item)
  for _, index in ipairs(item.to) do
    if queues[index].is_deleted then
      return { 'missing', index }, true
    end
  end
  local message = find_leased(source, key, held)
  local record = record_of(source, message)
  local deaths = split_record(record).deaths
  if item.death then
    deaths = append_death(deaths, item.death)
  end
  -- First, so that its place is free when it comes back to the same queue.
  with_ref(source, request.source, function()
    leave_source(held, message, id)
  end)
  local ids, evicted = {}, {}
  for position, index in ipairs(item.to) do
    if make_room(queues[index], message.bytes, evicted) then
      return { 'full', index }, true
    end
    local is_copy = position > 1
    ids[position] = transfer(queues[index], message, record, id, deaths, is_copy)
  end
  return { 'moved', ids, evicted }
end

local outcomes = {}
local receipts = ARGV[FIRST + 1]
local lost = for_held(source, receipts, function(held, key, index)
  local outcome, is_refused = attempt(function()
    return move_item(held, key, id_in_receipts(receipts, index), request.items[index])
  end)
  outcomes[index] = outcome
  return not is_refused
end)
for _, index in ipairs(lost) do
  outcomes[index + 1] = 'lost'
end
return { close_queues(), outcomes }
