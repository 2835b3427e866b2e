-- The places that a queue is spread over: each like a queue, with a number of its own. Numbers are
-- passed over until there is one for each part of the slots, so that a cluster's nodes get as many.
-- KEYS[1] is the base of the topology's keys. ARGV: the queue's number, how many places, channel
-- Answers: the places, and the revision if they were chosen now; nothing when there is no such queue.
--@include call
local facts, numbers, spread = KEYS[1] .. 'facts', KEYS[1] .. 'numbers', KEYS[1] .. 'partitions'
local queue_number, count, channel = ARGV[FIRST], tonumber(ARGV[FIRST + 1]), ARGV[FIRST + 2]
local SLOTS = 16384

-- As Redis Cluster does it: the XMODEM variant of CRC-16.
local function slot_of(tag)
  local crc = 0
  for at = 1, #tag do
    crc = bit.bxor(crc, bit.lshift(string.byte(tag, at), 8))
    for _ = 1, 8 do
      local is_high = bit.band(crc, 0x8000) ~= 0
      crc = bit.band(bit.lshift(crc, 1), 0xffff)
      if is_high then
        crc = bit.bxor(crc, 0x1021)
      end
    end
  end
  return crc % SLOTS
end

local function choose()
  local places, found = {}, 0
  local number = tonumber(redis.call('HGET', facts, 'number'))
  while found < count do
    number = number + 1
    local part = math.floor(slot_of('q' .. number) * count / SLOTS) + 1
    if not places[part] then
      places[part] = number
      found = found + 1
    end
  end
  redis.call('HSET', facts, 'number', number)
  return table.concat(places, ' ')
end

local known = redis.call('HGET', spread, queue_number)
if known then
  return { known }
end
if redis.call('HEXISTS', numbers, queue_number) == 0 then
  return {}
end
local places = choose()
redis.call('HSET', spread, queue_number, places)
local revision = redis.call('HINCRBY', facts, 'revision', 1)
redis.call('PUBLISH', channel, revision .. ' places ' .. queue_number .. ' ' .. places)
return { places, revision }
