-- In a cluster, one place says which queues are due. Whoever asks gets those that are, and others do
-- not get them for a while.
-- KEYS[1] is the base of the topology's keys. ARGV: most queues to answer; one more to answer, due or
-- not ('': none)
-- Answers: the time, until when these are claimed, 1 if it is time to look at all queues (for what a
-- process that died did not note, or a failover lost), these queues, then the next queue and when it
-- is due, if any.
--@include call
local CLAIM_MS, PASS_MS = 10000, 300000
local index, facts = KEYS[1] .. 'due', KEYS[1] .. 'facts'
local claimed_until = string.format('%.0f', now + CLAIM_MS)
redis.call('HDEL', facts, '')

local claimed, numbers = {}, {}
local function claim(number)
  claimed[number] = true
  numbers[#numbers + 1] = tonumber(number)
  redis.call('ZADD', index, claimed_until, number)
end

for _, number in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, tonumber(ARGV[FIRST]))) do
  claim(number)
end
local also = ARGV[FIRST + 1]
if not claimed[also] and redis.call('ZSCORE', index, also) then
  claim(also)
end

-- It is another where the server restarted, or another took over: what was noted last may be gone.
local replication = redis.pcall('INFO', 'replication')
local history = type(replication) == 'string' and string.match(replication, 'master_replid:(%w+)') or ''

local passed = tonumber(redis.call('HGET', facts, 'passed') or 0)
local is_over = now >= passed + PASS_MS or now < passed
local is_pass_due = is_over or redis.call('HGET', facts, 'history') ~= history
if is_pass_due then
  redis.call('HSET', facts, 'passed', string.format('%.0f', now), 'history', history)
end

local answer = { now, tonumber(claimed_until), is_pass_due and 1 or 0, numbers }
local first = redis.call('ZRANGE', index, 0, #numbers, 'WITHSCORES')
for at = 1, #first, 2 do
  if not claimed[first[at]] then
    answer[5], answer[6] = tonumber(first[at]), tonumber(first[at + 1])
    break
  end
end
return answer
