--@include call
--@include lease
-- Leases end later, counted from now.
-- ARGV: the queue's settings as JSON, receipts, and as JSON for each receipt how many milliseconds
-- Answers: news, the indexes of those that prove no present lease.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))
local durations = cjson.decode(ARGV[FIRST + 2])

-- Their keys and leases, by how long.
local extended, counts, is_extended = {}, {}, {}
local lost = for_held(queue, ARGV[FIRST + 1], function(held, key, index)
  local duration = durations[index]
  if not is_extended[key] then
    is_extended[key] = true
    counts[held.batch] = (counts[held.batch] or 0) + 1
    extended[duration] = extended[duration] or {}
    table.insert(extended[duration], key)
  end
  return false
end)

for duration, keys in pairs(extended) do
  local batch, leases = next_token(queue), {}
  for index, lease in ipairs(ask_many('HMGET', queue.key.l, keys)) do
    leases[2 * index - 1] = keys[index]
    leases[2 * index] = string.sub(lease, 1, BATCH_AT - 1)
      .. struct.pack('>I7', batch)
      .. string.sub(lease, CONSUMER_AT)
  end
  call_many('HSET', queue.key.l, leases)
  begin_batch(queue, batch, keys, now + duration)
end
leave_batches(queue, counts)
return { close_queues(), lost }
