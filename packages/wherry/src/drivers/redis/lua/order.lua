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

-- A message's key is its sequence in decimal digits; in a stream, it is the entry <key>-0.
local function key_of(sequence)
  return string.format('%d', sequence)
end

local function key_in_entry(id)
  return string.sub(id, 1, -3)
end

-- As a member of `sched`: with the number of digits before them, as one character. So members of
-- equal score sort as numbers do: '19' < '210' < '211'.
local function member_of(key)
  return string.char(48 + #key) .. key
end

local function key_in_member(member)
  return string.sub(member, 2)
end
