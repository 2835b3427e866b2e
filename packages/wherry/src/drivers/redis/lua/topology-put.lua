-- Compare and set of one entry. KEYS[1] is the base of the topology's keys.
-- ARGV[7] field, ARGV[8] expected version, ARGV[9] value (JSON), ARGV[10] channel
-- Answers the revision and the entry's number, or nothing when the version was another.
local entries, facts, numbers = KEYS[1] .. 'entries', KEYS[1] .. 'facts', KEYS[1] .. 'numbers'
local field, expected = ARGV[7], tonumber(ARGV[8])

local version, number = 0, nil
local present = redis.call('HGET', entries, field)
if present then
  version, number = string.match(present, '^(%d+) (%d+) ')
  version = tonumber(version)
end
if version ~= expected then
  return {}
end

if not number then
  number = redis.call('HINCRBY', facts, 'number', 1)
  redis.call('HSET', numbers, number, field)
end
version = version + 1
redis.call('HSET', entries, field, version .. ' ' .. number .. ' ' .. ARGV[9])
local revision = redis.call('HINCRBY', facts, 'revision', 1)
redis.call('PUBLISH', ARGV[10], revision .. ' put ' .. field .. '\n' .. version .. ' ' .. number .. ' ' .. ARGV[9])
return { revision, tonumber(number) }
