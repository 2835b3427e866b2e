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
  local is_blocked, scheduled = redis.call('ZSCORE', queue.key.blocked, key), queue.scheduled
  unplace(queue, message)
  local was_scheduled = queue.scheduled < scheduled
  local answer = act(message)
  if was_scheduled then
    place_scheduled(queue, message)
  elseif is_blocked then
    place_blocked(queue, message)
  else
    place_ready(queue, message)
  end
  return answer
end
