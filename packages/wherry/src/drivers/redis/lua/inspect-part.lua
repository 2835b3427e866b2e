--@include call
--@include queue
--@include record
-- Looks at a part of a queue's messages.
-- ARGV: a priority, for those in its stream, and the entry before the part ('': from the first); or ''
-- and a cursor of the others ('0' at first); most messages
-- Answers: how many there are in the part, how many of them are behind the cursor, their bytes, where
-- the next part begins ('': nowhere), the highest sequence.
local queue = open_queue(KEYS[1])
local priority, after, most = tonumber(ARGV[FIRST]), ARGV[FIRST + 1], tonumber(ARGV[FIRST + 2])
local bytes, behind, highest = 0, 0, 0

if priority then
  local from = after == '' and '-' or '(' .. after
  local tail = tails_of(queue)[priority] or { cursor = 0 }
  local entries = redis.call('XRANGE', stream_of(queue, priority), from, '+', 'COUNT', most)
  for _, entry in ipairs(entries) do
    local message = untouched(priority, entry)
    bytes = bytes + message.bytes
    behind = behind + (message.sequence > tail.cursor and 1 or 0)
    highest = message.sequence
  end
  return { #entries, behind, bytes, #entries == most and entries[most][1] or '', highest }
end

local next_cursor, fields = unpack(redis.call('HSCAN', queue.key.a, after, 'COUNT', most))
for index = 1, #fields, 2 do
  bytes = bytes + unpack_state(fields[index], fields[index + 1]).bytes
  highest = math.max(highest, tonumber(fields[index]))
end
return { #fields / 2, 0, bytes, next_cursor == '0' and '' or next_cursor, highest }
