--@include transfer
--@include lease
--@include deaths
-- Messages that are to go to other places: from now on only the transfer holds them.
-- ARGV: the queue's settings as JSON, receipts, and as JSON of each its transfer and its death
-- Answers: news, and for each '' if the receipt proves no present lease, else { record, deaths,
-- priority, bytes, group }.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))
local items = cjson.decode(ARGV[FIRST + 2])
local answers, is_leaving = {}, {}

local function depart(held, key, id, item)
  local message = find_leased(queue, key, held)
  local record = record_of(queue, message)
  local leaving = { key = key, id = has(held.flags, LEASE_HAS_ID) and id or nil }
  leaving.lease, leaving.ends_at = withhold_lease(queue, key, held)
  hset(queue.key.departing, item.transfer, cmsgpack.pack(leaving))
  watch(queue, DEPARTING, item.transfer)
  local deaths = split_record(record).deaths
  if item.death then
    deaths = append_death(deaths, item.death)
  end
  return { record, deaths, message.priority, message.bytes, message.group or '' }
end

local receipts = ARGV[FIRST + 1]
local lost = for_held(queue, receipts, function(held, key, index)
  answers[index] = ''
  if not is_leaving[key] then
    is_leaving[key] = true
    answers[index] = depart(held, key, id_in_receipts(receipts, index), items[index])
  end
  -- Its lease goes on, in other hands.
  return false
end)
for _, index in ipairs(lost) do
  answers[index + 1] = ''
end
return { close_queues(), answers }
