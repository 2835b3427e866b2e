-- KEYS[1] is the base of the topology's keys.
-- ARGV: of each queue its number, when it is due (0: not at all), and until when it was claimed by
-- whoever says so (0: it was not)
--@include call
local index = KEYS[1] .. 'due'
redis.call('HDEL', KEYS[1] .. 'facts', '')
for at = FIRST, #ARGV, 3 do
  local number, due, claimed = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local is_claimed = tonumber(claimed) > 0 and redis.call('ZSCORE', index, number) == claimed
  if is_claimed and due == 0 then
    redis.call('ZREM', index, number)
  elseif is_claimed then
    redis.call('ZADD', index, due, number)
  elseif due > 0 and redis.call('ZADD', index, 'LT', 'CH', due, number) == 0 then
    -- That may be somebody's claim, who will note what was due before this: it is not as it was now.
    redis.call('ZADD', index, redis.call('ZSCORE', index, number) - 1, number)
  end
end
return 1
