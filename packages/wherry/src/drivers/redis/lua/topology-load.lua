-- All entries, as of one revision. KEYS[1] is the base of the topology's keys.
-- Answers the revision, field and record by turns, queue and its places by turns.
local base = KEYS[1]
local revision = redis.call('HGET', base .. 'facts', 'revision') or 0
return { tonumber(revision), redis.call('HGETALL', base .. 'entries'), redis.call('HGETALL', base .. 'partitions') }
