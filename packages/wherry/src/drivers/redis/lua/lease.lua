--@include groups
--@include remove
--@include batches
-- Leases: who holds what. A lease ends when somebody ends it; that its time is over only lets the
-- sweeper take it.

-- Begins the leases of one call, which share holder and end. Their tokens follow `first_token`,
-- which also names their batch.
-- No script answers much more than that many bytes: it must arrive in time.
local REPLY_MAX = 16 * 1024 * 1024

local function leasing(queue, consumer, ends_at)
  local batch = free_token(queue)
  return {
    first_token = batch,
    consumer = consumer,
    ends_at = ends_at,
    keys = {},
    leases = {},
    -- The messages, for leased.ts: of one with a state its sequence, state and record; of an
    -- untouched one its entry's id and `r`. The priority of the latter is 0, or what the number
    -- before says, as -1 - priority.
    reply = {},
    reply_priority = 0,
    -- Bytes of the messages, about.
    size = 0,
  }
end

local function is_full(batch)
  return batch.size >= REPLY_MAX
end

local function announce_priority(batch, priority)
  if batch.reply_priority ~= priority then
    batch.reply_priority = priority
    batch.reply[#batch.reply + 1] = -1 - priority
  end
end

-- in no index -> leased. `write_leases` writes it down.
-- mark: LEASE_AFTER_LEASE or LEASE_AFTER_TTL when the sweeper takes over, else 0
local function lease(queue, batch, message, record, mark)
  if message.keep then
    keep(queue, message)
    save_state(queue, message)
  end
  if message.group then
    count_leased(queue, message)
  end
  local flags = (message.in_stream and LEASE_IN_STREAM or 0) + mark
  if message.is_suspect then
    flags = flags + LEASE_SUSPECT
    queue.suspects = queue.suspects + 1
  end
  if has(string.byte(record, FLAGS_AT), HAS_ID) then
    flags = flags + LEASE_HAS_ID
  end
  batch.size = batch.size + #record
  local keys, leases, priority = batch.keys, batch.leases, message.priority
  local token = batch.first_token + #keys
  keys[#keys + 1] = message.key
  leases[#leases + 1] = message.key
  leases[#leases + 1] =
    struct.pack(LEASE, token, flags, priority, message.bytes, batch.first_token, batch.consumer)
  if message.in_stream then
    announce_priority(batch, message.priority)
    table.insert(batch.reply, message.entry)
    table.insert(batch.reply, string.sub(record, REST_AT))
  else
    table.insert(batch.reply, message.sequence)
    table.insert(batch.reply, pack_state(message))
    table.insert(batch.reply, record)
  end
end

-- The same for untouched messages, where they are: the walk's present one and those that follow it,
-- at most `most`, until one is past its TTL. As little as can be is done for each: there are many.
-- Answers how many.
local function lease_untouched(queue, batch, walk, most)
  local part, first, priority = walk.part, walk.at - 1, walk.priority
  announce_priority(batch, priority)
  local keys, leases, reply = batch.keys, batch.leases, batch.reply
  local first_token, consumer = batch.first_token, batch.consumer
  local count, replied, leased, size = #keys, #reply, 0, batch.size
  while leased < most and first + leased < #part and size < REPLY_MAX do
    local entry = part[first + leased + 1]
    local id, rest = entry[1], entry[2][2]
    local key = string.sub(id, 1, string.find(id, '-', 1, true) - 1)
    local bytes, flags = struct.unpack('>I4B', rest)
    if flags >= HAS_TIMES then
      local expiry = expiry_in_rest(rest)
      if expiry > 0 and expiry <= now then
        break
      end
      redis.call('ZREM', queue.key.ttl, key)
    end
    local lease_flags = has(flags, HAS_ID) and LEASE_IN_STREAM + LEASE_HAS_ID or LEASE_IN_STREAM
    local token = first_token + count
    leases[2 * count + 1] = key
    leases[2 * count + 2] =
      struct.pack(LEASE, token, lease_flags, priority, bytes, first_token, consumer)
    leased, count, replied = leased + 1, count + 1, replied + 2
    keys[count], reply[replied - 1], reply[replied] = key, id, rest
    size = size + #rest
  end
  batch.size = size
  queue.ready = queue.ready - leased
  return leased
end

-- Redis keeps a small hash as a list, in which each look-up goes past up to 512 fields, unless one
-- of the values is long.
local function begin_leases(queue)
  redis.call('HSET', queue.key.l, NOWHERE, string.rep(' ', 65))
end

local function write_leases(queue, batch)
  local count = #batch.keys
  if count > 0 then
    if queue.leased == 0 then
      begin_leases(queue)
    end
    queue.leased = queue.leased + count
    queue.token = batch.first_token + count - 1
    call_many('HSET', queue.key.l, batch.leases)
    begin_batch(queue, batch.first_token, batch.keys, batch.ends_at)
  end
end

-- A lease that nobody can prove from now on, and that does not end: in no batch, of no known token.
-- Answers what `restore_lease` wants.
local function withhold_lease(queue, key, held)
  local before = redis.call('HGET', queue.key.l, key)
  local consumer = string.sub(before, CONSUMER_AT)
  local withheld =
    struct.pack(LEASE, next_token(queue), held.flags, held.priority, held.bytes, 0, consumer)
  local ends_at = end_of_batch(queue, held.batch)
  redis.call('HSET', queue.key.l, key, withheld)
  leave_batches(queue, { [held.batch] = 1 })
  return before, ends_at
end

-- Its holder has it again.
local function restore_lease(queue, key, lease, ends_at)
  local batch = next_token(queue)
  local renewed = string.sub(lease, 1, BATCH_AT - 1)
    .. struct.pack('>I7', batch)
    .. string.sub(lease, CONSUMER_AT)
  redis.call('HSET', queue.key.l, key, renewed)
  begin_batch(queue, batch, { key }, ends_at)
end

-- leased -> in no index. The lease itself is deleted by the caller, with others.
local function uncount_lease(queue, message, held)
  queue.leased = queue.leased - 1
  if has(held.flags, LEASE_SUSPECT) then
    queue.suspects = queue.suspects - 1
  end
  if message.group then
    uncount_leased(queue, message)
  end
  local lets_others_go = message.group or has(held.flags, LEASE_SUSPECT) or queue.ref.maxInFlight
  if lets_others_go and queue.ready > 0 then
    tell(queue, READY)
  end
end

-- The message under a lease, with its record if that is in a stream.
local function find_leased(queue, key, held)
  if not has(held.flags, LEASE_IN_STREAM) then
    return find_stated(queue, key)
  end
  local stream = stream_of(queue, held.priority)
  return untouched(held.priority, redis.call('XRANGE', stream, key, key)[1])
end

-- A receipt: token u56, id 16. (The id: timestamp u48, tag u32, sequence u48.)
local RECEIPT, RECEIPT_LENGTH, RECEIPT_ID_AT = '>I7xxxxxxI4I6', 23, 7

-- Answers the tokens, and the keys that the ids tell.
local function read_receipts(queue, text)
  local tokens, keys, tag = {}, {}, queue.tag_number
  for at = 1, #text, RECEIPT_LENGTH do
    local index = #tokens + 1
    local token, id_tag, sequence = struct.unpack(RECEIPT, text, at)
    tokens[index] = token
    keys[index] = id_tag == tag and key_of(sequence) or NOWHERE
  end
  return tokens, keys
end

local function id_in_receipts(text, index)
  local at = (index - 1) * RECEIPT_LENGTH + RECEIPT_ID_AT
  return string.sub(text, at + 1, at + 16)
end

local function timestamp_in_receipts(text, index)
  return (struct.unpack('>I6', text, (index - 1) * RECEIPT_LENGTH + RECEIPT_ID_AT + 1))
end

-- Messages that came from another queue, or came back, have ids that do not tell their keys: puts
-- those and the leases in the place of what is not the receipt's.
local function look_up(queue, text, tokens, keys, leases)
  local indexes, ids = {}, {}
  for index, token in ipairs(tokens) do
    local is_here = leases[index] and keys[index] ~= NOWHERE
    if not is_here or unpack_lease(leases[index]).token ~= token then
      indexes[#indexes + 1] = index
      ids[#ids + 1] = id_in_receipts(text, index)
    end
  end
  local found = #ids > 0 and ask_many('HMGET', queue.key.ids, ids)
  for place, index in ipairs(indexes) do
    local key = found[place]
    keys[index], leases[index] = key, key and redis.call('HGET', queue.key.l, key)
  end
end

-- Calls `act(held, key, index)` for each receipt that proves the present lease (G4). `held` is good
-- until the next. Leases of which `act` answers that they ended are deleted.
-- Answers the indexes of the other receipts, from 0.
local function for_held(queue, text, act)
  local tokens, keys = read_receipts(queue, text)
  local leases = ask_many('HMGET', queue.key.l, keys)
  if redis.call('EXISTS', queue.key.ids) == 1 then
    look_up(queue, text, tokens, keys, leases)
  end
  local lost, ended, is_ended, counts, held = {}, {}, {}, {}, {}
  for index, token in ipairs(tokens) do
    local key, lease_text = keys[index], leases[index]
    local is_proved = lease_text
      and not is_ended[key]
      and unpack_lease(lease_text, held).token == token
      and (end_of_batch(queue, held.batch) or 0) > now
    if not is_proved then
      lost[#lost + 1] = index - 1
    elseif act(held, key, index) then
      is_ended[key] = true
      ended[#ended + 1] = key
      counts[held.batch] = (counts[held.batch] or 0) + 1
    end
  end
  if #ended > 0 then
    call_many('HDEL', queue.key.l, ended)
    leave_batches(queue, counts)
  end
  return lost
end
