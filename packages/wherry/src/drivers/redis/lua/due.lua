--@include queue
-- When a queue needs the sweeper.

local function first_score(index)
  local first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) or math.huge
end

-- The next moment when something is due in a queue: a lease's end, a TTL, a delay, the end of a
-- deduplicationId, a transfer that nobody ended; 0: nothing is.
local function next_due(queue)
  local key = queue.key
  local scheduled = first_score(key.sched)
  local next = math.min(
    first_score(key.ends),
    first_score(key.ttl),
    scheduled < NEVER and scheduled or math.huge,
    first_score(key.forget),
    first_score(key.transfers)
  )
  return next < math.huge and next or 0
end
