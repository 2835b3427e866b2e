--@include groups
-- Takes messages out of the store.

-- Its record and what points to it. id: where its id does not tell its key; else nil
local function forget(queue, message, id)
  queue.bytes = queue.bytes - message.bytes
  if message.in_stream then
    leave_stream(queue, message.priority, message.entry)
  else
    hdel(queue.key.m, message.key)
    hdel(queue.key.a, message.key)
  end
  if id then
    hdel(queue.key.ids, id)
  end
  tell(queue, ROOM)
end

-- The next message under the same deduplicationId does not take its place any more.
local function keep(queue, message)
  hdel(queue.key.keep, message.keep)
  message.keep = nil
end

-- The id of a stored message, if it must be looked up.
local function foreign_id(queue, message)
  local record = record_of(queue, message)
  if has(string.byte(record, FLAGS_AT), HAS_ID) then
    return id_in(queue, record, message.sequence)
  end
  return nil
end

-- ready or scheduled -> gone; its group goes on.
local function remove(queue, message)
  unplace(queue, message)
  forget(queue, message, foreign_id(queue, message))
  if message.keep then
    keep(queue, message)
  end
  leave_group(queue, message)
end

-- ready or scheduled -> in no index. An untouched message gets a state: only those that were taken
-- in order are leased where they are in their stream.
local function take_out(queue, message)
  unplace(queue, message)
  if message.in_stream then
    hset(queue.key.m, message.key, message.record)
    leave_stream(queue, message.priority, message.entry)
    message.in_stream = nil
    save_state(queue, message)
  end
end
