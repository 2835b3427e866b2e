--@include call
--@include queue
--@include record
-- What a queue says of itself, and what its structures hold.
-- Answers: its numbers: sequence, token, ready, scheduled, leased, bytes; the same of its indexes,
-- without sequence, token and bytes; its bytes for what is to come from other places; how many of
-- that, of what is to go, and of what is decided for others there are; bytes of memory; priority and
-- cursor of each stream by turns. Or 'missing'.
local queue = open_queue(KEYS[1])
if queue.is_deleted then
  return 'missing'
end
local key = queue.key
local ONES = {
  'q', 'tails', 'm', 'a', 'ready', 'suspects', 'blocked', 'sched', 'l', 'ends', 'batches', 'left',
  'ttl', 'ids', 'buckets', 'full', 'throttled', 'crowded', 'dedup', 'forget', 'fence', 'keep',
  'held', 'departing', 'decided', 'transfers', 'g',
}

local ready = 0
for _, index in ipairs({ key.ready, key.suspects, key.blocked }) do
  ready = ready + redis.call('ZCARD', index)
end
local streams, memory = {}, 0
for priority, tail in pairs(tails_of(queue)) do
  ready = ready + tail.count
  streams[#streams + 1] = priority
  streams[#streams + 1] = tail.cursor
  memory = memory + (redis.call('MEMORY', 'USAGE', stream_of(queue, priority)) or 0)
end
for _, name in ipairs(ONES) do
  memory = memory + (redis.call('MEMORY', 'USAGE', key[name]) or 0)
end

local coming, coming_bytes, copies = 0, 0, redis.call('HVALS', key.held)
for _, text in ipairs(copies) do
  local copy = cmsgpack.unpack(text)
  coming, coming_bytes = coming + copy.size, coming_bytes + copy.bytes
end
-- The field without a name is none (lease.lua).
local leased = redis.call('HLEN', key.l) - redis.call('HEXISTS', key.l, '')
return {
  { queue.seq, queue.token, queue.ready, queue.scheduled, queue.leased, queue.bytes },
  { ready, redis.call('ZCARD', key.sched), leased + coming },
  coming_bytes,
  { #copies, redis.call('HLEN', key.departing), redis.call('HLEN', key.decided) },
  memory,
  streams,
}
