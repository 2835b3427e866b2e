--@include groups
--@include rates
-- Limits may change while the queue runs.

-- Goes by the limits that a take was told: what others held back is looked at again.
local function heed(queue)
  local slots, limit = queue.ref.slots, queue.ref.groupRate
  local rate = limit and string.format('%d %d', limit.max, limit.per) or ''
  if slots ~= queue.slots then
    for _, name in ipairs(redis.call('ZRANGE', queue.key.crowded, 0, -1)) do
      uncrowd(queue, name)
    end
  end
  if rate ~= queue.group_rate then
    while resume(queue, '+inf') do
    end
  end
  if slots ~= queue.slots or rate ~= queue.group_rate then
    redis.call('HSET', queue.key.q, 'slots', slots, 'groupRate', rate)
  end
end
