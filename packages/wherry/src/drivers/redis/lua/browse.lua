--@include call
--@include view
-- A page of one state.
-- ARGV: state, most messages, cursor: the score and the key of the last message of the page before,
-- or ''
-- Answers: the cursor, '' at the end; then what view.lua says of each message.
local state, most, cursor = ARGV[FIRST], tonumber(ARGV[FIRST + 1]), ARGV[FIRST + 2]
local queue = open_queue(KEYS[1])
if queue.is_deleted then
  return 'missing'
end
local after_score, after_key = string.match(cursor, '^(%S+) (%S+)$')

-- Candidates: score and key of each; those from a stream with their message too.
local found = {}

local function add_scored(members, to_key)
  for index = 1, #members, 2 do
    found[#found + 1] = { key = to_key(members[index]), score = tonumber(members[index + 1]) }
  end
end

local function itself(key)
  return key
end

local function add_tail(priority, tail)
  local from = tail.cursor
  if after_score then
    local score = tonumber(after_score)
    if priority_in(score) < priority then
      return
    elseif priority_in(score) == priority then
      from = math.max(from, tonumber(after_key))
    end
  end
  local stream, first = stream_of(queue, priority), key_of(from + 1)
  for _, entry in ipairs(redis.call('XRANGE', stream, first, '+', 'COUNT', most + 1)) do
    local message = untouched(priority, entry)
    local score = score_of(priority, message.sequence)
    found[#found + 1] = { key = message.key, score = score, message = message }
  end
end

-- In the order in which they come up, but for those that wait for others of their group.
local function find_ready()
  local from = after_score and '(' .. after_score or '-inf'
  for _, index in ipairs({ 'ready', 'suspects', 'blocked' }) do
    local key = queue.key[index]
    local limit = most + 1
    local members = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
    add_scored(members, itself)
  end
  for priority, tail in pairs(tails_of(queue)) do
    if tail.count > 0 then
      add_tail(priority, tail)
    end
  end
end

-- The rank of the first member of `sched` behind the cursor: members of equal score are in order,
-- so it is found by halving.
local function rank_behind()
  local low = redis.call('ZCOUNT', queue.key.sched, '-inf', '(' .. after_score)
  local high = redis.call('ZCOUNT', queue.key.sched, '-inf', after_score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local key = key_in_member(redis.call('ZRANGE', queue.key.sched, middle, middle)[1])
    if tonumber(key) <= tonumber(after_key) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function find_scheduled()
  local first = after_score and rank_behind() or 0
  local members = redis.call('ZRANGE', queue.key.sched, first, first + most, 'WITHSCORES')
  add_scored(members, key_in_member)
end

local function find_all_leased()
  for _, key in ipairs(redis.call('HKEYS', queue.key.l)) do
    -- Not every field is a key.
    local sequence = tonumber(key)
    if sequence and sequence > tonumber(after_score or 0) then
      found[#found + 1] = { key = key, score = sequence }
    end
  end
end

local finders = { ready = find_ready, scheduled = find_scheduled, leased = find_all_leased }
finders[state]()
table.sort(found, function(a, b)
  return a.score < b.score or a.score == b.score and tonumber(a.key) < tonumber(b.key)
end)

local page = {}
for index = 1, math.min(most, #found) do
  page[index] = view(queue, found[index].message or find(queue, found[index].key))
end
local last = #found > most and found[most]
return { last and string.format('%d %s', last.score, last.key) or '', page }
