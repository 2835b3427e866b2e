--@include groups
--@include rates
-- Limits may change while the queue runs.

-- Goes by the limits that a take was told: what others held back is looked at again.
local function heed(queue)
  local slots, limit = queue.ref.slots, queue.ref.groupRate
  local rate = limit and string.format('%d %d', limit.max, limit.per) or ''
  if slots == queue.slots and rate == queue.group_rate then
    return
  end
  -- Both at any change: what is held back for want of a slot may be held back by the rate instead.
  for _, name in ipairs(redis.call('ZRANGE', queue.key.crowded, 0, -1)) do
    uncrowd(queue, name)
  end
  while resume(queue, '+inf') do
  end
  redis.call('HSET', queue.key.q, 'slots', slots, 'groupRate', rate)
end
