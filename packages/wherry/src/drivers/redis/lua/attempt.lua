--@include write
--@include queue
-- All or nothing within a script: what was done is taken back when it comes to a refusal.

local function snapshot(queue)
  local saved = { tails = {}, gone = {} }
  for _, field in ipairs(NUMBERS) do
    saved[field] = queue[field]
  end
  for priority, tail in pairs(tails_of(queue)) do
    local cursor, count, is_changed = tail.cursor, tail.count, tail.is_changed
    saved.tails[priority] = { cursor = cursor, count = count, is_changed = is_changed }
  end
  for priority, gone in pairs(queue.gone) do
    saved.gone[priority] = #gone
  end
  return saved
end

local function restore(queue, saved)
  for _, field in ipairs(NUMBERS) do
    -- A stream takes no sequence a second time, and a token must be new.
    if field ~= 'seq' and field ~= 'token' then
      queue[field] = saved[field]
    end
  end
  queue.tails = saved.tails
  for priority, gone in pairs(queue.gone) do
    for index = #gone, (saved.gone[priority] or 0) + 1, -1 do
      gone[index] = nil
    end
  end
end

-- work: answers its result, and whether that is a refusal
local function attempt(work)
  inverses = {}
  local saved = {}
  for index, queue in ipairs(queues) do
    saved[index] = snapshot(queue)
  end
  local result, is_refused = work()
  if is_refused then
    for index = #inverses, 1, -1 do
      redis.call(unpack(inverses[index]))
    end
    for index, queue in ipairs(queues) do
      restore(queue, saved[index])
    end
  end
  inverses = nil
  return result, is_refused
end
