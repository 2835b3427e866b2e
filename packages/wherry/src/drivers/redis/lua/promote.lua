--@include groups
-- scheduled -> ready, as far as due.

-- So that no script holds up the server for long.
local PROMOTED_MAX = 1000

-- Answers whether more is due.
local function promote(queue)
  local due =
    redis.call('ZRANGEBYSCORE', queue.key.sched, '-inf', now, 'LIMIT', 0, PROMOTED_MAX)
  for _, member in ipairs(due) do
    local message = find_stated(queue, key_in_member(member))
    unplace(queue, message)
    if message.group and not message.is_outside then
      enter_group(queue, message)
    else
      place_ready(queue, message)
    end
  end
  if #due > 0 then
    tell(queue, READY)
  end
  return #due == PROMOTED_MAX
end
