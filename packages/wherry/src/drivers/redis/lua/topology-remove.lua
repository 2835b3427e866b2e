-- Removes one entry. KEYS[1] is the base of the topology's keys.
-- ARGV[7] field and ARGV[8] the version that it must have; or both '' and ARGV[9] its number
-- ARGV[10] channel
-- Answers the revision and the field, or nothing when it is not there or has another version.
local entries, facts, numbers = KEYS[1] .. 'entries', KEYS[1] .. 'facts', KEYS[1] .. 'numbers'
local field, expected = ARGV[7], ARGV[8]
if field == '' then
  field = redis.call('HGET', numbers, ARGV[9])
  -- A number that is not a queue's is no reason to remove whose it is.
  if field and string.sub(field, 1, 9) ~= '["queue",' then
    return {}
  end
end

local present = field and redis.call('HGET', entries, field)
if not present then
  return {}
end
local version, number = string.match(present, '^(%d+) (%d+) ')
if expected ~= '' and version ~= expected then
  return {}
end

redis.call('HDEL', entries, field)
redis.call('HDEL', numbers, number)
redis.call('HDEL', KEYS[1] .. 'partitions', number)
local revision = redis.call('HINCRBY', facts, 'revision', 1)
redis.call('PUBLISH', ARGV[10], revision .. ' removed ' .. field)
return { revision, field }
