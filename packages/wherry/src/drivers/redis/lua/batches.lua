--@include queue
-- When leases end. Those that began in one call, or were extended in one, end together: they are a
-- batch, named by a token.
--   ends     batches by the moment of their end
--   batches  by batch: the keys of its messages when it began, ' ' between
--   left     by batch: how many of them it still has

-- keys: of the messages, at least one
local function begin_batch(queue, batch, keys, ends_at)
  local name = key_of(batch)
  redis.call('HSET', queue.key.batches, name, table.concat(keys, ' '))
  redis.call('HSET', queue.key.left, name, #keys)
  redis.call('ZADD', queue.key.ends, ends_at, name)
  expect(queue, ends_at)
end

local function end_batch(queue, name)
  redis.call('HDEL', queue.key.left, name)
  redis.call('HDEL', queue.key.batches, name)
  redis.call('ZREM', queue.key.ends, name)
end

-- counts: by batch, how many of its leases are over or go on in another
local function leave_batches(queue, counts)
  for batch, count in pairs(counts) do
    local name = key_of(batch)
    if redis.call('HINCRBY', queue.key.left, name, -count) <= 0 then
      end_batch(queue, name)
    end
  end
end

-- When a batch ends; nil if there is no such batch.
local function end_of_batch(queue, batch)
  local known = queue.batch_ends[batch]
  if known == nil then
    known = tonumber(redis.call('ZSCORE', queue.key.ends, key_of(batch)) or nil) or false
    queue.batch_ends[batch] = known
  end
  return known or nil
end
