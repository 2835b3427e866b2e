-- The order of a queue: higher priority first, then by sequence.

-- Priorities (8 bits) and sequences (45 bits) together fit the 53 bits of a score.
local PRIORITY_STEP = 2 ^ 45
-- The availableAt of what never becomes available by itself (core/driver.ts).
local NEVER = 253402300800000

local function score_of(priority, sequence)
  return (255 - priority) * PRIORITY_STEP + sequence
end

local function priority_in(score)
  return 255 - math.floor(score / PRIORITY_STEP)
end

-- A message's key is its sequence in decimal digits.
local function key_of(sequence)
  return string.format('%d', sequence)
end

-- In a stream, a message is the entry <sequence>-<timestamp>: the key alone finds it too.
local function entry_id(sequence, timestamp)
  return string.format('%d-%d', sequence, timestamp)
end

-- Answers key and timestamp.
local function split_entry_id(id)
  local dash = string.find(id, '-', 1, true)
  return string.sub(id, 1, dash - 1), tonumber(string.sub(id, dash + 1))
end

-- As a member of `sched`: with the number of digits before them, as one character. So members of
-- equal score sort as numbers do: '19' < '210' < '211'.
local function member_of(key)
  return string.char(48 + #key) .. key
end

local function key_in_member(member)
  return string.sub(member, 2)
end
