--@include transfer
--@include lease
-- What was decided of transfers; where nothing was, it is decided against them now.
-- ARGV: as JSON the name of each and of a copy of it elsewhere, by turns; 1 if somebody may still come
-- and want to decide for them
-- Answers: news, and for each 0 if it is decided against, else the id of the first copy of that
-- copy's message ('': it is the first).
insist()
local queue = open_queue(KEYS[1])
local items = cjson.decode(ARGV[FIRST])

-- A message that was to go stays: its holder has its lease again.
local function stay(queue, transfer)
  local text = redis.call('HGET', queue.key.departing, transfer)
  if text then
    local leaving = cmsgpack.unpack(text)
    restore_lease(queue, leaving.key, leaving.lease, leaving.ends_at)
    hdel(queue.key.departing, transfer)
    unwatch(queue, DEPARTING, transfer)
  end
end

local function first_id(others, name)
  for at = 2, #others, 3 do
    if others[at] == name then
      return others[at + 1]
    end
  end
  return ''
end

local answers = {}
for at = 1, #items, 2 do
  local transfer, name = items[at], items[at + 1]
  local decided = redis.call('HGET', queue.key.decided, transfer)
  answers[#answers + 1] = decided and first_id(cmsgpack.unpack(decided), name) or 0
  if not decided then
    stay(queue, transfer)
    if ARGV[FIRST + 1] == '1' then
      redis.call('SET', queue.key['refused:' .. transfer], '', 'PX', DAY)
    end
  end
end
return { close_queues(), answers }
