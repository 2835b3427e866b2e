--@include order
-- A queue as a script works on it: its numbers are read once, changed here, and written back at the
-- end by `close_queue`.
--
-- Where its messages are:
--   s:<priority>  Streams of messages that nobody has touched since they were published: entries
--                 <sequence>-<timestamp>, r: the record without the timestamp. In each, what is
--                 behind the cursor is *the tail*: ready. What is not, was handed out (and is in
--                 `l`) or is past its TTL (and in `blocked`).
--   m, a          All other messages: record and state (record.lua) by key (order.lua).
-- Which state they are in: every message is in the tail of its stream or in exactly one of
--   ready         may be handed out        } in their order
--   suspects      alone (G6)               }
--   blocked       ready, but not now: behind others of its group, rate-limited, or past its TTL
--   sched         by the moment it is due
--   l             leases by key; when they end: batches.lua
-- And beside them, only for messages that need it: ttl (by when they end, unless leased), ids (keys
-- by ids that do not tell them), and what groups.lua, rates.lua and dedup.lua say.
local NUMBERS =
  { 'seq', 'token', 'ready', 'scheduled', 'leased', 'bytes', 'suspects', 'due', 'arrived' }
local FIELDS =
  { 'name', 'deleted', 'hungry', 'thirsty', 'bucket', 'slots', 'groupRate', unpack(NUMBERS) }

local queues = {}

-- The names of a queue's keys, made when they are used.
local key_names = {
  __index = function(names, name)
    local key = names.base .. name
    names[name] = key
    return key
  end,
}

-- The middle of the ids of messages that the queue stored first (core/message-id.ts).
local function tag_of(number)
  local tag = bit.bxor(number, salt)
  return struct.pack('>I2I2', 0x7000 + math.floor(tag / 2 ^ 14), 0x8000 + tag % 2 ^ 14)
end

-- ref: what its settings say, without what is not limited (settings.ts); left out: what the
-- last take was told
local function open_queue(base, ref)
  local key = setmetatable({ base = base }, key_names)
  local values = redis.call('HMGET', key.q, unpack(FIELDS))
  local number = tonumber(string.match(base, '{q(%d+)'))
  local tag = tag_of(number)
  local queue = {
    index = #queues + 1,
    number = number,
    tag = tag,
    tag_number = struct.unpack('>I4', tag),
    key = key,
    ref = ref or { slots = values[6] and tonumber(values[6]) },
    name = values[1],
    is_deleted = values[2] and true,
    is_hungry = values[3] and true,
    is_thirsty = values[4] and true,
    bucket = values[5],
    -- What the last take was told of limits of groups.
    slots = tonumber(values[6] or 1),
    group_rate = values[7] or '',
    stored = {},
    news = 0,
    gone = {},
    batch_ends = {},
  }
  for index, field in ipairs(NUMBERS) do
    local number = tonumber(values[7 + index] or 0)
    queue[field], queue.stored[field] = number, number
  end
  queue.ref.slots = queue.ref.slots or 1
  if queue.ref.name and not queue.name and not queue.is_deleted then
    queue.name = ref.name
    redis.call('HSET', key.q, 'name', ref.name)
  end
  table.insert(queues, queue)
  return queue
end

-- Something can be taken, or there is room.
local function tell(queue, what)
  if queue.news ~= what then
    queue.news = queue.news == 0 and what or READY + ROOM
  end
end

-- Something is due at `moment`: the sweeper must come.
local function expect(queue, moment)
  if moment < NEVER and (queue.due == 0 or moment < queue.due) then
    queue.due = moment
  end
end

local function next_sequence(queue)
  queue.seq = queue.seq + 1
  return queue.seq
end

-- Tokens grow with the clock, so that they do not come again where a crashed server has forgotten
-- the last ones.
local function free_token(queue)
  return math.max(queue.token + 1, now * 1000)
end

local function next_token(queue)
  queue.token = free_token(queue)
  return queue.token
end

-- By priority: the cursor of its stream, and how many are behind it.
local function tails_of(queue)
  if not queue.tails then
    queue.tails = {}
    local texts = redis.call('HGETALL', queue.key.tails)
    for index = 1, #texts, 2 do
      local cursor, count = string.match(texts[index + 1], '^(%S+) (%S+)$')
      queue.tails[tonumber(texts[index])] = { cursor = tonumber(cursor), count = tonumber(count) }
    end
  end
  return queue.tails
end

local function stream_of(queue, priority)
  return queue.key['s:' .. priority]
end

-- An entry leaves its stream, at the end of the script: its place cannot be given back.
local function leave_stream(queue, priority, id)
  local gone = queue.gone[priority]
  if not gone then
    gone = {}
    queue.gone[priority] = gone
  end
  gone[#gone + 1] = id
end

local function close_streams(queue)
  for priority, gone in pairs(queue.gone) do
    local stream = stream_of(queue, priority)
    if #gone > 0 then
      call_many('XDEL', stream, gone)
    end
    if redis.call('XLEN', stream) == 0 then
      redis.call('DEL', stream)
      tails_of(queue)[priority] = nil
      redis.call('HDEL', queue.key.tails, priority)
    end
  end
  for priority, tail in pairs(queue.tails or {}) do
    if tail.is_changed then
      local text = key_of(tail.cursor) .. ' ' .. tail.count
      redis.call('HSET', queue.key.tails, priority, text)
    end
  end
end

-- Tells those who wait, in whatever process.
local function publish_news(queue)
  local channel = prefix .. 'news:' .. queue.number
  if queue.news % 2 == READY and queue.is_hungry then
    redis.call('HDEL', queue.key.q, 'hungry')
    redis.call('PUBLISH', channel, 'ready')
  end
  if queue.news >= ROOM and queue.is_thirsty then
    redis.call('HDEL', queue.key.q, 'thirsty')
    redis.call('PUBLISH', channel, 'room')
  end
end

local function close_queue(queue)
  close_streams(queue)
  if queue.leased == 0 and queue.stored.leased > 0 then
    redis.call('DEL', queue.key.l)
  end
  local changed = {}
  for _, field in ipairs(NUMBERS) do
    if queue[field] ~= queue.stored[field] then
      changed[#changed + 1] = field
      changed[#changed + 1] = queue[field]
    end
  end
  if #changed > 0 then
    redis.call('HSET', queue.key.q, unpack(changed))
  end
  local is_sooner = queue.due ~= queue.stored.due and queue.due > 0
  if is_sooner and in_one_place then
    redis.call('ZADD', prefix .. 'due', queue.due, queue.number)
  end
  publish_news(queue)
  -- In a cluster whoever called notes it; also what others who called may have failed to note.
  return not in_one_place and queue.due or 0
end

-- Writes all numbers back.
-- Answers for each queue with news: its number, what there is, and when it is due, if that is to be
-- noted elsewhere (else 0).
local function close_queues()
  local news = {}
  for _, queue in ipairs(queues) do
    local due = close_queue(queue)
    if queue.news > 0 or due > 0 then
      news[#news + 1] = queue.number
      news[#news + 1] = queue.news
      news[#news + 1] = due
    end
  end
  return news
end
