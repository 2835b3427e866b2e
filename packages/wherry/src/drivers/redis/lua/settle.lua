--@include call
--@include lease
-- leased -> gone.
-- ARGV: the queue's settings as JSON, receipts
-- Answers: news, the indexes of those that prove no present lease.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))

local receipts = ARGV[FIRST + 1]

-- What was leased where it is in its stream needs not be read.
local untouched_message = { in_stream = true }
local function message_of(held, key)
  if not has(held.flags, LEASE_IN_STREAM) then
    return find_stated(queue, key)
  end
  local message = untouched_message
  message.key, message.priority, message.bytes = key, held.priority, held.bytes
  return message
end

local lost = for_held(queue, receipts, function(held, key, index)
  if held.flags == LEASE_IN_STREAM then
    -- The many: nothing depends on them.
    queue.leased, queue.bytes = queue.leased - 1, queue.bytes - held.bytes
    leave_stream(queue, held.priority, key)
    return true
  end
  local message = message_of(held, key)
  uncount_lease(queue, message, held)
  forget(queue, message, has(held.flags, LEASE_HAS_ID) and id_in_receipts(receipts, index) or nil)
  if message.group then
    leave_group(queue, message)
  end
  return true
end)
if #lost < #receipts / RECEIPT_LENGTH then
  tell(queue, ROOM)
  if queue.ref.maxInFlight and queue.ready > 0 then
    tell(queue, READY)
  end
end
return { close_queues(), lost }
