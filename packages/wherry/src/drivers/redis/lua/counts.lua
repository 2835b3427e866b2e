--@include call
--@include room
-- Answers: ready, scheduled, leased, bytes, and when the ready message that was stored first was
-- stored (-1: none is ready), and how many messages ever came.
local queue = open_queue(KEYS[1])
if queue.is_deleted then
  return 'missing'
end
local message = queue.ready > 0 and oldest(queue)
local timestamp = message and struct.unpack('>I6', record_of(queue, message)) or -1
return { queue.ready, queue.scheduled, queue.leased, queue.bytes, timestamp, queue.arrived }
