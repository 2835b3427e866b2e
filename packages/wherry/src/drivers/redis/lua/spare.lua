--@include place
--@include find
-- Calls `act` while the message that another one is to replace (keepLast) is out of the way: it is
-- not what is dropped to make room for that.
-- name: the deduplicationId; nil: nothing is replaced. act: gets the message, or nil
local function sparing(queue, name, act)
  local key = name and redis.call('HGET', queue.key.keep, name)
  local message = key and find_stated(queue, key)
  if not message then
    return act(nil)
  end
  local place = place_ready
  if redis.call('ZSCORE', queue.key.sched, key) then
    place = place_scheduled
  elseif redis.call('ZSCORE', queue.key.blocked, key) then
    place = place_blocked
  end
  unplace(queue, message)
  local answer = act(message)
  place(queue, message)
  return answer
end
