-- What every script is given before its own arguments (scripts.ts puts it there), and the time.
local clock, prefix, in_one_place, salt = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
-- ARGV[5] and ARGV[6] are the runner's.
local FIRST = 7

local READY, ROOM = 1, 2

-- The server's clock, unless a test has its own. Milliseconds since 1970.
local function read_clock()
  if clock ~= '' then
    return tonumber(clock)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local now = read_clock()

-- A full server refuses commands that may need memory, unless the script has written already. What
-- makes room, or ends what was begun, begins with a write that needs none.
local function insist(key)
  redis.call('PERSIST', key or KEYS[1] .. 'l')
end

-- Calls a command that takes any number of arguments, in parts that Lua's stack can hold.
local function call_many(command, key, values)
  local PART = 4000
  for first = 1, #values, PART do
    redis.call(command, key, unpack(values, first, math.min(first + PART - 1, #values)))
  end
end

-- The same for a command that answers one value for each argument.
local function ask_many(command, key, values)
  local PART = 4000
  if #values <= PART then
    return redis.call(command, key, unpack(values))
  end
  local answers = {}
  for first = 1, #values, PART do
    local last = math.min(first + PART - 1, #values)
    for index, answer in ipairs(redis.call(command, key, unpack(values, first, last))) do
      answers[first + index - 1] = answer
    end
  end
  return answers
end
