--@include find
--@include place
-- Rate limits, as token buckets in whole numbers: a bucket holds a level of at most max * per; each
-- millisecond adds max, each token takes per (core/driver.ts).
--   bucket     in `q`, the queue's: level, moment, and the max and per by which it has filled since
--   buckets    by group, the same; one that is missing is full
--   full       groups, by the moment when their bucket is full for sure
--   throttled  ready messages, by the moment when their group's limit may let them go

-- A bucket as it is now. Until now it filled by the limit that held before; its tokens are kept
-- when their size changes. What is full is full under any limit.
-- limit: max and per, as they are now
local function refill(text, limit)
  local most = limit.max * limit.per
  local bucket = { level = most, at = now, limit = limit }
  if not text then
    return bucket
  end
  local level, at, max, per = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  at, max, per = tonumber(at), tonumber(max), tonumber(per)
  -- A clock that went back fills nothing.
  level = tonumber(level) + math.max(0, now - at) * max
  bucket.at = math.max(now, at)
  bucket.is_converted = max ~= limit.max or per ~= limit.per
  if level < max * per then
    if per ~= limit.per then
      level = math.floor(level / per) * limit.per
    end
    bucket.level = math.min(level, most)
  end
  return bucket
end

-- Milliseconds until there is a token.
local function wait_for(bucket)
  if not bucket then
    return 0
  end
  -- From now on this limit fills it.
  bucket.must_save = bucket.must_save or bucket.is_converted
  if bucket.level >= bucket.limit.per then
    return 0
  end
  return math.ceil((bucket.limit.per - bucket.level) / bucket.limit.max)
end

local function spend(bucket)
  if bucket then
    bucket.level = bucket.level - bucket.limit.per
    bucket.must_save = true
  end
end

local function bucket_text(bucket)
  local limit = bucket.limit
  return string.format('%d %d %d %d', bucket.level, bucket.at, limit.max, limit.per)
end

-- The queue's own; nil without a limit.
local function queue_bucket(queue)
  local limit = queue.ref.rate
  return limit and refill(queue.bucket, limit)
end

-- Buckets of groups, each read once.
local function group_buckets(queue)
  local limit, known = queue.ref.groupRate, {}
  return function(name)
    if not limit or not name then
      return nil
    end
    if not known[name] then
      known[name] = refill(redis.call('HGET', queue.key.buckets, name), limit)
    end
    return known[name]
  end, known
end

local function save_buckets(queue, own, of_groups)
  if own and own.must_save then
    redis.call('HSET', queue.key.q, 'bucket', bucket_text(own))
  end
  for name, bucket in pairs(of_groups) do
    if bucket.must_save then
      redis.call('HSET', queue.key.buckets, name, bucket_text(bucket))
      redis.call('ZADD', queue.key.full, bucket.at + bucket.limit.per, name)
    end
  end
end

-- Drops buckets that are full again.
local function forget_full(queue)
  local names = redis.call('ZRANGEBYSCORE', queue.key.full, '-inf', now, 'LIMIT', 0, 1000)
  if #names > 0 then
    redis.call('HDEL', queue.key.buckets, unpack(names))
    redis.call('ZREM', queue.key.full, unpack(names))
  end
end

-- Puts a ready message aside until its group's limit may let it go.
local function throttle(queue, message, wait)
  set_aside(queue, message)
  zadd(queue.key.throttled, now + wait, message.key)
end

-- So that no script holds up the server for long.
local RESUMED_MAX = 1000

-- Looks again at what was put aside until `moment`. Answers whether there is more.
local function resume(queue, moment)
  local throttled = queue.key.throttled
  local keys = redis.call('ZRANGEBYSCORE', throttled, '-inf', moment, 'LIMIT', 0, RESUMED_MAX)
  for _, key in ipairs(keys) do
    zrem(throttled, key)
    reinstate(queue, find_stated(queue, key))
  end
  return #keys == RESUMED_MAX
end

-- Milliseconds until a group's limit lets one go that it holds back, or nil.
local function wait_for_throttled(queue)
  local throttled = queue.key.throttled
  while true do
    local first = redis.call('ZRANGE', throttled, 0, 0, 'WITHSCORES')
    if #first == 0 then
      return nil
    end
    if not is_expired(find_stated(queue, first[1])) then
      return math.max(1, tonumber(first[2]) - now)
    end
    zrem(throttled, first[1])
  end
end
