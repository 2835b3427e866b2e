--@include call
--@include attempt
--@include lease
--@include room
--@include spare
-- Leases what is to be dropped for a message to have room, so that it can move to another place. (If
-- whoever asked dies before that, the leases end like any others.)
-- ARGV: the queue's settings as JSON, the message's bytes, the deduplicationId under which it takes
-- another's place ('': none), 1 to only see what it would be
-- Answers: news, the bound that leaves no room also when all that is dropped ('': none), and of each
-- message id, token, bytes and the bound that it is dropped for by turns. If it would not do, it is
-- only what it would be.
insist()
local LEASE_MS = 20000
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))
local bytes, keep_last, is_trial = tonumber(ARGV[FIRST + 1]), ARGV[FIRST + 2], ARGV[FIRST + 3] == '1'
local batch, receipts, leaving = leasing(queue, '#mover', now + LEASE_MS), {}, 0

local function put_out(message, limit)
  local tail = tails_of(queue)[message.priority]
  local record = record_of(queue, message)
  local is_untouched = message.in_stream and message.sequence > tail.cursor
  take_out(queue, message)
  if is_untouched then
    -- It is in the stream until the end of the script: it is not to be found a second time.
    tail.cursor = message.sequence
  end
  lease(queue, batch, message, record, 0)
  receipts[#receipts + 1] = id_in(queue, record, message.sequence)
  receipts[#receipts + 1] = batch.first_token + #batch.keys - 1
  receipts[#receipts + 1] = message.bytes
  receipts[#receipts + 1] = limit
  leaving = leaving + message.bytes
end

-- Answers the bound that leaves no room all the same, or nil.
local function put_out_all()
  return sparing(queue, keep_last ~= '' and keep_last, function(replaced)
    local more = bytes - (replaced and replaced.bytes or 0)
    while true do
      local limit = exceeded_limit(queue, more - leaving, replaced)
      local message = limit and next_to_evict(queue)
      if not message then
        return limit
      end
      put_out(message, limit)
    end
  end)
end

local limit
if not queue.is_deleted then
  limit = attempt(function()
    local left = put_out_all()
    return left, is_trial or left
  end)
  if not limit and not is_trial then
    write_leases(queue, batch)
  end
end
return { close_queues(), limit or '', receipts }
