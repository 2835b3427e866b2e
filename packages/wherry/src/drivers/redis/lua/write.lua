-- Single writes, which an attempt that is refused takes back.

-- What undoes the writes of the present attempt, in their order; nil when there is none.
local inverses = nil

local function hset(key, field, value)
  if inverses then
    local before = redis.call('HGET', key, field)
    table.insert(inverses, before and { 'HSET', key, field, before } or { 'HDEL', key, field })
  end
  redis.call('HSET', key, field, value)
end

local function hdel(key, field)
  if inverses then
    local before = redis.call('HGET', key, field)
    if before then
      table.insert(inverses, { 'HSET', key, field, before })
    end
  end
  return redis.call('HDEL', key, field) == 1
end

local function zadd(key, score, member)
  if inverses then
    local before = redis.call('ZSCORE', key, member)
    table.insert(inverses, before and { 'ZADD', key, before, member } or { 'ZREM', key, member })
  end
  redis.call('ZADD', key, score, member)
end

local function zrem(key, member)
  if inverses then
    local before = redis.call('ZSCORE', key, member)
    if before then
      table.insert(inverses, { 'ZADD', key, before, member })
    end
  end
  return redis.call('ZREM', key, member) == 1
end

local function xadd(key, id, value)
  if inverses then
    table.insert(inverses, { 'XDEL', key, id })
  end
  redis.call('XADD', key, id, 'r', value)
end
