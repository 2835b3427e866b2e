--@include find
--@include rates
-- Walks over ready messages in the queue's order. A walk has its present message as `key`, nil at
-- the end; `go_on` steps to the next.

local PART = 100

-- Over one of the indexes that are in order: `score` too.
local function walk_index(index)
  local walk = {}
  local part, at, from = {}, 1, '-inf'
  function walk.go_on()
    if at > #part and from then
      part = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'WITHSCORES', 'LIMIT', 0, PART)
      at = 1
      from = #part == 2 * PART and '(' .. part[#part]
    end
    walk.key, walk.score = part[at], tonumber(part[at + 1])
    at = at + 2
  end
  walk.go_on()
  return walk
end

-- The highest priority first.
local function priorities_of_tails(queue)
  local priorities = {}
  for priority, tail in pairs(tails_of(queue)) do
    if tail.count > 0 then
      priorities[#priorities + 1] = priority
    end
  end
  table.sort(priorities, function(a, b)
    return a > b
  end)
  return priorities
end

-- Over what nobody has touched: `priority` and `rest` (of the record) too, and `part[at]`, the entry,
-- with those that follow it. `pass` moves the cursor behind some of them, and steps to the next.
-- count: how many will probably be wanted
local function walk_tails(queue, count)
  local walk = { part = {}, at = 1 }
  local priorities = priorities_of_tails(queue)
  local next_priority, tail, from = 1, nil, nil

  local function read_part()
    if not from then
      walk.priority = priorities[next_priority]
      if not walk.priority then
        return false
      end
      next_priority = next_priority + 1
      tail = tails_of(queue)[walk.priority]
      from = key_of(tail.cursor + 1)
    end
    local stream = stream_of(queue, walk.priority)
    local part = redis.call('XRANGE', stream, from, '+', 'COUNT', count)
    from = #part == count and '(' .. part[#part][1] or nil
    walk.part, walk.at = part, 1
    return true
  end

  local function arrive()
    walk.key = nil
    while walk.at > #walk.part do
      if not read_part() then
        return
      end
    end
    local entry = walk.part[walk.at]
    walk.key, walk.rest = split_entry_id(entry[1]), entry[2][2]
  end

  function walk.score()
    return score_of(walk.priority, tonumber(walk.key))
  end

  function walk.pass(passed)
    local last = walk.part[walk.at + passed - 1]
    tail.cursor = tonumber((split_entry_id(last[1])))
    tail.count, tail.is_changed = tail.count - passed, true
    walk.at = walk.at + passed
    arrive()
  end

  arrive()
  return walk
end
