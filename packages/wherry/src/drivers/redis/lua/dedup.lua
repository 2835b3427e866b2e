--@include write
--@include queue
-- What is stored once (G12).
--   dedup   by deduplicationId: until when it is remembered u48, id 16
--   forget  deduplicationIds by that moment
--   fence   by key: the greatest value stored

-- The id of what was sent under this deduplicationId, or nil.
local function sent_before(queue, deduplication_id)
  local text = redis.call('HGET', queue.key.dedup, deduplication_id)
  if not text then
    return nil
  end
  local ends_at, id = struct.unpack('>I6c16', text)
  return ends_at > now and id or nil
end

local function remember(queue, deduplication_id, id, ends_at)
  hset(queue.key.dedup, deduplication_id, struct.pack('>I6c16', ends_at, id))
  zadd(queue.key.forget, ends_at, deduplication_id)
  expect(queue, ends_at)
end

local function is_behind(queue, fence)
  local greatest = redis.call('HGET', queue.key.fence, fence.key)
  return greatest and fence.value <= tonumber(greatest)
end

-- Drops records that are over. Answers whether there are more.
local function forget_sent(queue)
  local FORGOTTEN_MAX = 1000
  local key = queue.key
  local over = redis.call('ZRANGEBYSCORE', key.forget, '-inf', now, 'LIMIT', 0, FORGOTTEN_MAX)
  if #over > 0 then
    redis.call('HDEL', key.dedup, unpack(over))
    redis.call('ZREM', key.forget, unpack(over))
  end
  return #over == FORGOTTEN_MAX
end
