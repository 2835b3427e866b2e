-- How messages are stored. The same in record.ts; numbers are big-endian.
--
-- A record is what a message carries. Most of it comes from content.ts and goes to record.ts:
--      0  timestamp  u48   when it was stored first
--      6  bytes      u32   what it counts towards maxBytes
--     10  flags      u8    lower three bits: what the body is
--         times      u48 availableAt, u48 expiresAt (0: none)   with HAS_TIMES; else stored, none
--         id         16    with HAS_ID: it does not follow from timestamp and sequence
--         publishId  16    with HAS_PUBLISH_ID: it is not the id
--         deaths     u32 length, deaths.lua      with HAS_DEATHS
--         extras     u32 length, JSON            with HAS_EXTRAS
--         body       the rest
-- A *content*, which publish is given, is a record without timestamp, times and ids.
local HAS_ID, HAS_PUBLISH_ID, HAS_DEATHS, HAS_EXTRAS, HAS_TIMES = 8, 16, 32, 64, 128
local FLAGS_AT, TIMES_AT = 11, 12

local function has(flags, flag)
  return flags % (flag * 2) >= flag
end

-- Takes a record apart. `rest` is from the deaths on.
local function split_record(record)
  local timestamp, bytes, flags, at = struct.unpack('>I6I4B', record)
  local parts = { timestamp = timestamp, bytes = bytes, available = timestamp, expires = 0 }
  if has(flags, HAS_TIMES) then
    parts.available, parts.expires, at = struct.unpack('>I6I6', record, at)
  end
  if has(flags, HAS_ID) then
    parts.id, at = struct.unpack('c16', record, at)
  end
  if has(flags, HAS_PUBLISH_ID) then
    parts.publish_id, at = struct.unpack('c16', record, at)
  end
  parts.deaths = ''
  if has(flags, HAS_DEATHS) then
    parts.deaths, at = struct.unpack('>I4c0', record, at)
  end
  parts.flags = flags % HAS_ID + (has(flags, HAS_EXTRAS) and HAS_EXTRAS or 0)
  parts.rest = string.sub(record, at)
  return parts
end

local function join_record(parts)
  local flags, times, deaths = parts.flags, '', ''
  if parts.expires > 0 or parts.available ~= parts.timestamp then
    flags, times = flags + HAS_TIMES, struct.pack('>I6I6', parts.available, parts.expires)
  end
  if parts.id then
    flags = flags + HAS_ID
  end
  if parts.publish_id then
    flags = flags + HAS_PUBLISH_ID
  end
  if #parts.deaths > 0 then
    flags, deaths = flags + HAS_DEATHS, struct.pack('>I4c0', #parts.deaths, parts.deaths)
  end
  local fixed = struct.pack('>I6I4B', parts.timestamp, parts.bytes, flags)
  return fixed .. times .. (parts.id or '') .. (parts.publish_id or '') .. deaths .. parts.rest
end

-- What is behind the timestamp, as it is in streams.
local REST_AT, REST_FLAGS_AT, REST_EXPIRES_AT = 7, 5, 12

-- When it ends; 0: never.
local function expiry_in_rest(rest)
  if string.byte(rest, REST_FLAGS_AT) < HAS_TIMES then
    return 0
  end
  return (struct.unpack('>I6', rest, REST_EXPIRES_AT))
end

-- The id of a message that a queue stored first, under this sequence (core/message-id.ts).
local function make_id(queue, timestamp, sequence)
  return struct.pack('>I6', timestamp) .. queue.tag .. struct.pack('>I6', sequence)
end

-- The key that an id tells, if the message was stored first in this queue; else nil.
local function key_told(queue, id)
  if string.sub(id, 7, 10) ~= queue.tag then
    return nil
  end
  return key_of((struct.unpack('>I6', id, 11)))
end

local function id_in(queue, record, sequence)
  local flags = string.byte(record, FLAGS_AT)
  if not has(flags, HAS_ID) then
    return make_id(queue, (struct.unpack('>I6', record)), sequence)
  end
  local at = has(flags, HAS_TIMES) and TIMES_AT + 12 or TIMES_AT
  return string.sub(record, at, at + 15)
end

-- A state is what happens to a message; only those in `m` have one.
--      0  priority u8, bytes u32, availableAt u48, expiresAt u48 (0: none), retryCount u32,
--         deliveryCount u32, flags u8
--         group      u8 length, text
--         keep       u8 length, text: the deduplicationId under which it may be replaced
--         parked     the rest: JSON
local IS_SUSPECT, IS_OUTSIDE, IS_WAITING = 1, 2, 4
local STATE = '>BI4I6I6I4I4BBc0Bc0'

-- message: a table with the fields below; `key` and `sequence` say which it is
local function pack_state(message)
  local flags = (message.is_suspect and IS_SUSPECT or 0)
    + (message.is_outside and IS_OUTSIDE or 0)
    + (message.is_waiting and IS_WAITING or 0)
  local group, keep = message.group or '', message.keep or ''
  return struct.pack(
    STATE,
    message.priority,
    message.bytes,
    message.available,
    message.expires,
    message.retries,
    message.deliveries,
    flags,
    #group,
    group,
    #keep,
    keep
  ) .. (message.parked or '')
end

local function unpack_state(key, state)
  local priority, bytes, available, expires, retries, deliveries, flags, group, keep, at =
    struct.unpack(STATE, state)
  return {
    key = key,
    sequence = tonumber(key),
    priority = priority,
    bytes = bytes,
    available = available,
    expires = expires,
    retries = retries,
    deliveries = deliveries,
    is_suspect = has(flags, IS_SUSPECT),
    is_outside = has(flags, IS_OUTSIDE),
    is_waiting = has(flags, IS_WAITING),
    group = group ~= '' and group or nil,
    keep = keep ~= '' and keep or nil,
    parked = at <= #state and string.sub(state, at) or nil,
  }
end

-- As it is shown: of a message that is in a stream, its priority alone.
local function state_of(message)
  return message.in_stream and string.char(message.priority) or pack_state(message)
end

-- A message that is in a stream, as if it had a state.
local function untouched(priority, entry)
  local key, timestamp = split_entry_id(entry[1])
  local rest = entry[2][2]
  local bytes, flags = struct.unpack('>I4B', rest)
  local available, expires = timestamp, 0
  if has(flags, HAS_TIMES) then
    available, expires = struct.unpack('>I6I6', rest, REST_FLAGS_AT + 1)
  end
  return {
    key = key,
    sequence = tonumber(key),
    priority = priority,
    bytes = bytes,
    available = available,
    expires = expires,
    retries = 0,
    deliveries = 0,
    in_stream = true,
    entry = entry[1],
    record = struct.pack('>I6', timestamp) .. rest,
  }
end

-- A parked message has no TTL: it is dead already, and waits for a place to go to.
local function expiry_of(message)
  return not message.parked and message.expires or 0
end

local function is_expired(message)
  local expiry = expiry_of(message)
  return expiry > 0 and expiry <= now
end

-- A lease: token u56, flags u8, priority u8, bytes u32, batch u56 (batches.lua), and the consumer's
-- id. The flags say where the message is, and why the sweeper has it.
local LEASE_IN_STREAM, LEASE_SUSPECT, LEASE_HAS_ID = 1, 2, 4
local LEASE_AFTER_LEASE, LEASE_AFTER_TTL = 8, 16
local LEASE, BATCH_AT, CONSUMER_AT = '>I7BBI4I7c0', 14, 21
local LEASE_FIXED = '>I7BBI4I7'

-- into: a table that is used again, where there are many
local function unpack_lease(lease, into)
  local held = into or {}
  held.token, held.flags, held.priority, held.bytes, held.batch = struct.unpack(LEASE_FIXED, lease)
  return held
end

-- No message has this key; in the hash of leases it is always there.
local NOWHERE = ''
