--@include call
--@include queue
-- Corrects a queue's numbers, if they still are what was looked at.
-- ARGV: sequence, token, ready, scheduled, leased and bytes as they were; the last four as they should
-- be; a sequence that none of its messages is above; priority and how many are behind the cursor of each stream by turns
-- Answers: 1, or 0 if something has changed.
insist()
local NAMES = { 'seq', 'token', 'ready', 'scheduled', 'leased', 'bytes' }
local queue = open_queue(KEYS[1])
for index, name in ipairs(NAMES) do
  if queue[name] ~= tonumber(ARGV[FIRST + index - 1]) then
    return 0
  end
end
for index = 3, #NAMES do
  queue[NAMES[index]] = tonumber(ARGV[FIRST + 3 + index])
end
local highest = tonumber(ARGV[FIRST + 10])
for _, tail in pairs(tails_of(queue)) do
  highest = math.max(highest, tail.cursor)
end
if queue.seq < highest then
  -- A stream refuses what is not above all that it ever had, also of what is gone from its end.
  local GONE_AT_MOST = 2 ^ 20
  queue.seq = highest + GONE_AT_MOST
end
for at = FIRST + 11, #ARGV, 2 do
  local tail = tails_of(queue)[tonumber(ARGV[at])]
  if tail then
    tail.count, tail.is_changed = tonumber(ARGV[at + 1]), true
  end
end
close_queues()
return 1
