--@include transfer
--@include lease
-- Decides for moves: their messages are gone from here.
-- ARGV: the queue's settings as JSON, and as JSON of each its transfer and the copies that are held
-- elsewhere (see `decide`)
-- Answers: news, and for each 1, or 0 if it was decided against.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))

local function remove_leaving(leaving)
  local held = unpack_lease(redis.call('HGET', queue.key.l, leaving.key))
  local message = find_leased(queue, leaving.key, held)
  hdel(queue.key.l, leaving.key)
  uncount_lease(queue, message, held)
  forget(queue, message, leaving.id)
  leave_group(queue, message)
end

local answers = {}
for index, item in ipairs(cjson.decode(ARGV[FIRST + 1])) do
  local text = redis.call('HGET', queue.key.departing, item.transfer)
  answers[index] = text and 1 or 0
  if text then
    remove_leaving(cmsgpack.unpack(text))
    hdel(queue.key.departing, item.transfer)
    unwatch(queue, DEPARTING, item.transfer)
    decide(queue, item.transfer, item.others)
  end
end
return { close_queues(), answers }
