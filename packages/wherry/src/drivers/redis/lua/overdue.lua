--@include transfer
-- Transfers that whoever began them has not ended in time.
-- ARGV: most to answer
-- Answers: news, and of each
--   { 'h', copy, transfer, the place that decides, 1 if that may still happen }
--   { 'd', transfer }
--   { 'y', transfer, copies elsewhere (see `decide`) }
insist()
local queue = open_queue(KEYS[1])
local answers = {}

local function describe(kind, name)
  if kind == HELD then
    local copy = cmsgpack.unpack(redis.call('HGET', queue.key.held, name))
    return { kind, name, copy.transfer, copy.home, copy.run and 1 or 0 }
  elseif kind == DECIDED then
    return { kind, name, cmsgpack.unpack(redis.call('HGET', queue.key.decided, name)) }
  end
  return { kind, name }
end

local most = tonumber(ARGV[FIRST])
for _, member in ipairs(redis.call('ZRANGEBYSCORE', queue.key.transfers, '-inf', now, 'LIMIT', 0, most)) do
  local kind, name = string.sub(member, 1, 1), string.sub(member, 2)
  answers[#answers + 1] = describe(kind, name)
  -- For now it is ours to end; if we do not, another sweeper comes.
  watch(queue, kind, name)
end
return { close_queues(), answers }
