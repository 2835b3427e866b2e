/** Bugs in the scripts of the Redis driver: a text in the place of another. */
export interface LuaBug {
  /** How the titles of the tests begin that must see it. */
  readonly breaks: string;
  /** What the scripts say; in every script that has it, it is there once. */
  readonly correct: string;
  readonly wrong: string;
}

export const LUA_BUGS: Readonly<Record<string, LuaBug>> = {
  'a lease that ended by time is settled even so': {
    breaks: 'G4 a lease ends at its time',
    correct: '(end_of_batch(queue, held.batch) or 0) > now',
    wrong: 'true',
  },
  'any token proves a lease': {
    breaks: 'G4 a token that was never given out is fenced',
    correct: 'unpack_lease(lease_text, held).token == token',
    wrong: 'unpack_lease(lease_text, held)',
  },
  'the cursor of a stream stays where it was': {
    breaks: 'G3 a leased message is not handed out again',
    correct: 'tail.cursor = tonumber((split_entry_id(last[1])))',
    wrong: '',
  },
  'what came back waits for all that is untouched': {
    breaks: 'G5 a message released without delay goes back to its old place',
    correct: 'if tails.key and (not score or tails.score() < score) then',
    wrong: 'if tails.key then',
  },
  'a batch goes on with a suspect': {
    breaks: 'G6 a batch ends before a suspect',
    correct: 'if is_free and first == suspects and (taken > 0 or request.hasOthers) then',
    wrong: 'if false then',
  },
  'many messages at once are not held against the bound': {
    breaks: 'G8 no more than maxSize are stored',
    correct: 'size > (ref.maxSize or math.huge)',
    wrong: 'false',
  },
  'what a refused batch did stays done': {
    breaks: 'G13 an atomic batch with a refused item changes nothing',
    correct: 'for index = #inverses, 1, -1 do',
    wrong: 'for index = 1, 0 do',
  },
  'bytes stay counted when a message is settled': {
    breaks: 'G2 a settled message is gone',
    correct: 'queue.leased - 1, queue.bytes - held.bytes',
    wrong: 'queue.leased - 1, queue.bytes',
  },
  'a back-off gives its slot to the next of the group': {
    breaks: 'G11 a back-off blocks its group',
    correct: 'wait(queue, message)\n    open_group(queue, message.group)',
    wrong: 'place_by_time(queue, message)\n    open_group(queue, message.group)',
  },
  'a group does not go on when its head is settled': {
    breaks: 'G11 of one group one message is held',
    correct: '  if message.group then\n    leave_group(queue, message)\n  end\n  return true',
    wrong: '  return true',
  },
  'a deduplicationId is remembered a moment too long': {
    breaks: 'G12 the window ends at its time',
    correct: 'return ends_at > now and id or nil',
    wrong: 'return ends_at >= now and id or nil',
  },
  'what was leased is replaced still': {
    breaks: 'G12 a message that was leased is replaced no more',
    correct: '    keep(queue, message)\n    save_state(queue, message)',
    wrong: '',
  },
  'a sweep forgets the leases that it has no room for': {
    breaks: 'of leases that began together',
    correct: 'leave_batches(queue, { [ended] = swept })',
    wrong: 'end_batch(queue, name)',
  },
  'the sweeper is not told of TTLs': {
    breaks: 'a sweep says when to come again',
    correct: 'first_score(key.ttl),',
    wrong: '',
  },
  'a message takes its TTL along': {
    breaks: "a move ends the message's TTL",
    correct: 'parts.available, parts.expires = now, expiry_at(queue, now)',
    wrong: 'parts.available = now',
  },
  'untouched messages spend nothing of a rate': {
    breaks: 'limits: a rate limit lets its number go',
    correct: '  if own_bucket then\n    spend(own_bucket)\n  end',
    wrong: '',
  },
  'a moved message keeps its priority': {
    breaks: 'a moved message keeps what its target has',
    correct: 'priority_for(queue, message.priority)',
    wrong: 'message.priority',
  },
  'a message sent by itself keeps its priority': {
    breaks: 'what is sent with a higher priority',
    correct: 'priority = priority_for(queue, run.priority),\n    timestamp = now',
    wrong: 'priority = run.priority,\n    timestamp = now',
  },
  'a bound on the bytes that wait counts what is leased': {
    breaks: 'G8 where a bound counts the bytes that wait',
    correct: 'queue.bytes - leased_bytes(queue) + bytes',
    wrong: 'queue.bytes + bytes',
  },
};
