--@include find
--@include batches
-- A stored message as it is shown: sequence, state, record, lease and its end ('' and 0: none). See
-- record.lua.
local function view(queue, message)
  local record, state = record_of(queue, message), state_of(message)
  local lease = redis.call('HGET', queue.key.l, message.key)
  if not lease then
    return { message.sequence, state, record, '', 0 }
  end
  local ends_at = end_of_batch(queue, unpack_lease(lease).batch) or NEVER
  return { message.sequence, state, record, lease, ends_at }
end
