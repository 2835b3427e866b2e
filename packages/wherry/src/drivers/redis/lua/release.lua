--@include call
--@include lease
-- leased -> ready or scheduled, never refused for want of room.
-- ARGV: the queue's settings as JSON, receipts, and as JSON for each receipt how it goes back
-- (ends.ts)
-- Answers: news, the indexes of those that prove no present lease.
insist()
local queue = open_queue(KEYS[1], cjson.decode(ARGV[FIRST]))
local ways = cjson.decode(ARGV[FIRST + 2])

-- What a delivery that ended without being settled leaves behind.
local function mark(message, way)
  message.available = way.delay and math.min(now + way.delay, NEVER) or NEVER
  if way.as ~= 'unstarted' then
    message.deliveries = message.deliveries + 1
  end
  if way.as == 'retry' then
    message.retries = message.retries + 1
  end
  -- Only a delivery that ended well for its holder clears the suspicion.
  if way.suspect ~= nil then
    message.is_suspect = way.suspect
  elseif way.as ~= 'unstarted' then
    message.is_suspect = false
  end
  if way.parked ~= nil then
    message.parked = way.parked or nil
  end
end

-- Back among those who wait; it comes outside at once if there is a slot. One that is parked for
-- good leaves its group: the others need not wait for it.
local function go_back(message)
  local group = group_of(queue, message.group)
  group.outside = group.outside - 1
  save_group(queue, message.group, group)
  message.is_outside = false
  if message.available == NEVER then
    save_state(queue, message)
    place_scheduled(queue, message)
    open_group(queue, message.group)
  else
    wait(queue, message)
    open_group(queue, message.group)
  end
end

local lost = for_held(queue, ARGV[FIRST + 1], function(held, key, index)
  local message = find_leased(queue, key, held)
  if message.in_stream then
    hset(queue.key.m, message.key, message.record)
    leave_stream(queue, message.priority, message.entry)
    message.in_stream = nil
  end
  uncount_lease(queue, message, held)
  mark(message, ways[index])
  if message.group then
    go_back(message)
  else
    save_state(queue, message)
    place_by_time(queue, message)
  end
  return true
end)
return { close_queues(), lost }
