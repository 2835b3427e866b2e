--@include call
--@include queue
--@include lease
--@include promote
--@include heed
--@include walk
-- ready -> leased: highest priority first, then by sequence; of a group only what may be held, a
-- suspect only alone, nothing past its TTL, within the queue's limits.
-- ARGV: the request as JSON (take.ts), ids to take by, 16 bytes each
-- Answers: news, the first token, end of the leases, milliseconds until a rate limit lets more go
-- (-1: none holds anything back), 1 if it must be called again (more became due than one call
-- promotes), the messages (lease.lua), whose tokens follow one another, and 1 if it is a suspect, 2 if
-- it ends before one.

insist()
local request = cjson.decode(ARGV[FIRST])
local queue = open_queue(KEYS[1], request.ref)
if queue.is_deleted then
  return 'missing'
end

heed(queue)
forget_full(queue)
local has_more = promote(queue)
has_more = resume(queue, now) or has_more

-- So that no reply of one command becomes large.
local messages = queue.ready + queue.scheduled + queue.leased
local PART_OF_TAIL = math.max(1, math.min(1000, math.floor(REPLY_MAX * messages / (queue.bytes + 1))))
local batch = leasing(queue, request.consumer, now + request.duration)
local taken = 0
local room = math.min(request.max, (queue.ref.maxInFlight or math.huge) - queue.leased)
local own_bucket = queue_bucket(queue)
local bucket_of, group_buckets_read = group_buckets(queue)

local function hand_out(message)
  spend(own_bucket)
  spend(bucket_of(message.group))
  unplace(queue, message)
  lease(queue, batch, message, record_of(queue, message), 0)
  taken = taken + 1
end

-- Whether something else than the order lets a message of `ready` or `suspects` go; else it is put
-- aside.
local function may_go(message)
  if is_expired(message) then
    set_aside(queue, message)
    return false
  end
  if not message.group then
    return true
  end
  local wait = wait_for(bucket_of(message.group))
  if wait > 0 then
    throttle(queue, message, wait)
    return false
  end
  if group_of(queue, message.group).leased >= queue.ref.slots then
    crowd_out(queue, message)
    return false
  end
  return true
end

-- Those that wait behind a head are leased with it, if one batch may hold several of a group.
local function hand_out_followers(name)
  for _ = 2, request.perGroup do
    local key = redis.call('ZRANGE', waiting_of(queue, name), 0, 0)[1]
    local is_over = taken == room or is_full(batch)
    local message = not is_over and key and find_stated(queue, key)
    if not message or message.is_suspect or message.available > now or is_expired(message) then
      return
    end
    if wait_for(own_bucket) > 0 or wait_for(bucket_of(name)) > 0 then
      return
    end
    hand_out(message)
  end
end

-- Whether the tail's message is not past its TTL; else it is put aside, where it is.
local function may_go_untouched(tails)
  local expiry = expiry_in_rest(tails.rest)
  if expiry == 0 or expiry > now then
    return true
  end
  redis.call('ZADD', queue.key.blocked, tails.score(), tails.key)
  tails.pass(1)
  return false
end

-- What nobody has touched is leased where it is. most: how many may go before something else comes
local function hand_out_untouched(tails, most)
  local leased = lease_untouched(queue, batch, tails, most)
  if own_bucket then
    spend(own_bucket)
  end
  taken = taken + leased
  tails.pass(leased)
end

-- The walk whose message comes first; if none has one, one that has none.
local function first_of(tails, ready, suspects)
  local first, score = ready, ready.score
  if suspects.key and (not score or suspects.score < score) then
    first, score = suspects, suspects.score
  end
  if tails.key and (not score or tails.score() < score) then
    first = tails
  end
  return first
end

-- 1 when the batch is a suspect, 2 when it ends before one.
local suspect = 0

-- Answers milliseconds until a rate limit lets more go, or nil.
local function take_in_order()
  local tails = walk_tails(queue, math.min(room, PART_OF_TAIL))
  local ready = walk_index(queue.key.ready)
  local suspects = queue.suspects == 0 and walk_index(queue.key.suspects) or {}
  while taken < room and not is_full(batch) do
    local first = first_of(tails, ready, suspects)
    if not first.key then
      return wait_for_throttled(queue)
    end
    local message = first ~= tails and find_stated(queue, first.key)
    local is_free = message and may_go(message) or not message and may_go_untouched(tails)
    if is_free and first == suspects and (taken > 0 or request.hasOthers) then
      suspect = 2
      return nil
    end
    if is_free and wait_for(own_bucket) > 0 then
      return wait_for(own_bucket)
    end
    if message and is_free then
      hand_out(message)
      if first == suspects then
        suspect = 1
        return nil
      elseif message.group and queue.ref.slots == 1 then
        hand_out_followers(message.group)
      end
    elseif is_free then
      local nothing_between = not ready.key and not suspects.key and not own_bucket
      hand_out_untouched(tails, nothing_between and room - taken or 1)
    end
    if message then
      first.go_on()
    end
  end
  return nil
end

-- In any order, from ready or scheduled, whatever the limits say.
local function take_by_ids()
  local ids, is_taken = ARGV[FIRST + 1], {}
  for at = 1, #ids, 16 do
    local message = taken < request.max and not is_full(batch) and find_by_id(queue, string.sub(ids, at, at + 15))
    if message and not is_taken[message.key] and not is_leased(queue, message) then
      if not is_expired(message) then
        is_taken[message.key] = true
        take_out(queue, message)
        lease(queue, batch, message, record_of(queue, message), 0)
        taken = taken + 1
      end
    end
  end
end

local retry_in = -1
if request.byIds then
  take_by_ids()
elseif room > 0 then
  retry_in = take_in_order() or -1
end
write_leases(queue, batch)
if queue.ref.countsWaiting and taken > 0 then
  tell(queue, ROOM)
end
save_buckets(queue, own_bucket, group_buckets_read)
if taken == 0 and not request.byIds and not queue.is_hungry then
  redis.call('HSET', queue.key.q, 'hungry', 1)
end
local must_repeat = has_more and taken == 0 and 1 or 0
local news = close_queues()
return { news, batch.first_token, batch.ends_at, retry_in, must_repeat, batch.reply, suspect }
