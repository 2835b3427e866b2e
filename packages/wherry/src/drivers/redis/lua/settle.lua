--@include call
--@include lease
-- leased -> gone.
-- ARGV: the queue's settings as JSON, receipts
-- Answers: news, the indexes of those that prove no present lease.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))

local receipts = ARGV[FIRST + 1]
-- Of the receipt before, whose neighbour was mostly stored in the same moment.
local timestamp_before, id_end

local lost = for_held(queue, receipts, function(held, key, index)
  if held.flags == LEASE_IN_STREAM then
    -- The many: nothing depends on them, and nothing but the receipt must be read.
    queue.leased, queue.bytes = queue.leased - 1, queue.bytes - held.bytes
    local timestamp = timestamp_in_receipts(receipts, index)
    if timestamp ~= timestamp_before then
      timestamp_before, id_end = timestamp, '-' .. key_of(timestamp)
    end
    leave_stream(queue, held.priority, key .. id_end)
    return true
  end
  local message = find_leased(queue, key, held)
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
