--@include place
--@include find
-- Groups (G11). A group has as many slots as its queue says; 1 keeps it in order. Its members are
-- outside (the next one, leased, or in back-off), which takes a slot, or waiting for one. One whose
-- first delay is not over, or that is parked for good, is neither.
--   g          by group: how many are outside, how many are leased
--   w:<group>  who waits
--   h:<group>  who is crowded out; `crowded` names such groups

local function group_of(queue, name)
  local text = redis.call('HGET', queue.key.g, name)
  if not text then
    return { outside = 0, leased = 0 }
  end
  local outside, leased = string.match(text, '^(%d+) (%d+)$')
  return { outside = tonumber(outside), leased = tonumber(leased) }
end

local function save_group(queue, name, group)
  if group.outside == 0 and group.leased == 0 then
    hdel(queue.key.g, name)
  else
    hset(queue.key.g, name, group.outside .. ' ' .. group.leased)
  end
end

local function save_state(queue, message)
  hset(queue.key.a, message.key, pack_state(message))
end

local function wait(queue, message)
  message.is_waiting, message.is_outside = true, false
  save_state(queue, message)
  zadd(waiting_of(queue, message.group), message.sequence, message.key)
  place_blocked(queue, message)
end

-- Fills the group's free slots with those who wait.
local function open_group(queue, name)
  local group = group_of(queue, name)
  while group.outside < queue.ref.slots do
    local key = redis.call('ZRANGE', waiting_of(queue, name), 0, 0)[1]
    if not key then
      break
    end
    local message = find_stated(queue, key)
    unplace(queue, message)
    group.outside = group.outside + 1
    message.is_waiting, message.is_outside = false, true
    save_state(queue, message)
    place_by_time(queue, message)
  end
  save_group(queue, name, group)
end

-- A message becomes a member, ready or waiting.
local function enter_group(queue, message)
  local group = group_of(queue, message.group)
  local is_free = group.outside < queue.ref.slots
  local someone_waits = redis.call('EXISTS', waiting_of(queue, message.group)) == 1
  if is_free and not someone_waits then
    group.outside = group.outside + 1
    save_group(queue, message.group, group)
    message.is_outside = true
    save_state(queue, message)
    place_ready(queue, message)
  else
    wait(queue, message)
    if is_free then
      open_group(queue, message.group)
    end
  end
end

-- A member that was outside is there no more.
local function leave_group(queue, message)
  if message.group and message.is_outside then
    local group = group_of(queue, message.group)
    group.outside = group.outside - 1
    save_group(queue, message.group, group)
    open_group(queue, message.group)
  end
end

-- Keeps a ready member back: enough of its group are leased.
local function crowd_out(queue, message)
  set_aside(queue, message)
  zadd(crowded_out_of(queue, message.group), message.sequence, message.key)
  zadd(queue.key.crowded, 0, message.group)
end

-- Those who were kept back because enough of their group were leased are looked at again.
local function uncrowd(queue, name)
  if not zrem(queue.key.crowded, name) then
    return
  end
  local crowded_out = crowded_out_of(queue, name)
  for _, key in ipairs(redis.call('ZRANGE', crowded_out, 0, -1)) do
    zrem(crowded_out, key)
    reinstate(queue, find_stated(queue, key))
  end
end

-- A member is leased. A waiting one comes outside with it.
local function count_leased(queue, message)
  local group = group_of(queue, message.group)
  group.leased = group.leased + 1
  if not message.is_outside then
    group.outside = group.outside + 1
    message.is_waiting, message.is_outside = false, true
    save_state(queue, message)
  end
  save_group(queue, message.group, group)
end

-- The lease of a member has ended.
local function uncount_leased(queue, message)
  local group = group_of(queue, message.group)
  group.leased = group.leased - 1
  save_group(queue, message.group, group)
  uncrowd(queue, message.group)
end
