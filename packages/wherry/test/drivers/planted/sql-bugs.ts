/** Bugs in the functions of the PostgreSQL driver: a text in the place of another. */
export interface SqlBug {
  /** How the titles of the tests begin that must see it. */
  readonly breaks: string;
  /** Of the driver's folder sql. */
  readonly file: string;
  /** What the file says, once. */
  readonly correct: string;
  readonly wrong: string;
}

export const SQL_BUGS: Readonly<Record<string, SqlBug>> = {
  'a lease that ended by time is settled even so': {
    breaks: 'G4 a lease ends at its time',
    file: 'settle.sql',
    correct: 'part := wherry.lock_next_part(queue_numbers[i], lease_numbers[i], moment, seen);',
    wrong: 'part := wherry.lock_next_part(queue_numbers[i], lease_numbers[i], 0, seen);',
  },
  'what was given back stays in its lease': {
    breaks: 'G4 of two who settle or release the same lease one succeeds',
    file: 'leases.sql',
    correct: 'held[places[i]] := 0;',
    wrong: 'NULL;',
  },
  'the frontier stays where it was': {
    breaks: 'G3 a leased message is not handed out again',
    file: 'frontier.sql',
    correct: 'line.positions[at] := page.passed_positions[i];',
    wrong: 'line.positions[at] := 0;',
  },
  'takers do not wait for each other': {
    breaks: 'G3 takers at the same time share the messages out',
    file: 'take.sql',
    correct: 'PERFORM pg_advisory_xact_lock(wherry.lock_key(3, queue_number, 0));',
    wrong: '',
  },
  'bytes stay counted when a message is settled': {
    breaks: 'G2 a settled message is gone',
    file: 'settle.sql',
    correct: '(-scheduled, scheduled, -cardinality(removed.indexes), -removed.bytes',
    wrong: '(-scheduled, scheduled, -cardinality(removed.indexes), 0',
  },
  'an extension is added to what the lease had left': {
    breaks: 'G3 an extended lease ends later, counted from now',
    file: 'extend.sql',
    correct: 'moment + durations[i]',
    wrong: 'part.until + durations[i]',
  },
  'the lowest priority goes first': {
    breaks: 'G5 the higher priority is leased first',
    file: 'strands.sql',
    correct: 'SELECT ((255 - priority) << 16) | strand',
    wrong: 'SELECT (priority << 16) | strand',
  },
  'what came back waits for all that is untouched': {
    breaks: 'G5 a message released without delay goes back to its old place',
    file: 'choose.sql',
    correct: 'IF plain_count > 0 THEN',
    wrong: 'IF cardinality(turns) > passed THEN plain_count := cardinality(turns) - passed;',
  },
  'a requeue counts as a retry': {
    breaks: 'G6 a requeue counts as a delivery only',
    file: 'release.sql',
    correct: 'coalesce(given.retry_count, 0) + retries[index]',
    wrong: 'coalesce(given.retry_count, 0) + deliveries[index]',
  },
  'a batch goes on with a suspect': {
    breaks: 'G6 a batch ends before a suspect',
    file: 'choose.sql',
    correct: "ELSIF next.place = 'suspect' AND cardinality(held.sequences) > 0 THEN",
    wrong: 'ELSIF false THEN',
  },
  'a suspect goes while another is held': {
    breaks: 'G6 a suspect waits while another is held',
    file: 'choose.sql',
    correct: 'AND NOT has_suspect',
    wrong: '',
  },
  'a moved message stays in its source': {
    breaks: 'G7 a moved message is in its target and no longer in its source',
    file: 'move.sql',
    correct:
      'DELETE FROM wherry.message\n  WHERE queue = old.queue AND lane = old.lane AND sequence = old.sequence;',
    wrong: '',
  },
  'what is leased does not count towards maxSize': {
    breaks: 'G8 no more than maxSize are stored',
    file: 'room.sql',
    correct: 'total.ready + total.scheduled + total.leased + part.count >',
    wrong: 'total.ready + total.scheduled + part.count >',
  },
  'senders to a bounded queue do not wait for each other': {
    breaks: 'G8 the bound holds under senders at the same time',
    file: 'locks.sql',
    correct: 'PERFORM pg_advisory_xact_lock(wherry.lock_key(2, number, 0))',
    wrong: 'PERFORM wherry.lock_key(2, number, 0)',
  },
  'drop-oldest drops the highest priority': {
    breaks: 'G8 drop-oldest drops an older one before one of higher priority',
    file: 'frontier.sql',
    correct: 'AS ready ORDER BY sequence LIMIT 1',
    wrong: 'AS ready ORDER BY lane LIMIT 1',
  },
  'a take looks at no TTL': {
    breaks: 'G9 nothing is leased past its TTL',
    file: 'frontier.sql',
    correct: 'coalesce(expires_at <= moment, false) AS is_overdue',
    wrong: 'false AS is_overdue',
  },
  'a message takes its TTL along': {
    breaks: "a move ends the message's TTL",
    file: 'arrival.sql',
    correct: 'new.expires_at := moment + target.message_ttl',
    wrong: 'new.expires_at := old.expires_at',
  },
  'a purge leaves the counts': {
    breaks: 'a purge takes what is ready and scheduled',
    file: 'purge.sql',
    correct: 'line.ready - plain_count - placed.ready',
    wrong: 'line.ready - placed.ready',
  },
  'two of a group are held': {
    breaks: 'G11 of a batch that failed, the first comes first again',
    file: 'groups.sql',
    correct: 'AND group_id = of_group AND outside;\n  IF',
    wrong: 'AND false;\n  IF',
  },
  'a group does not go on when its head is settled': {
    breaks: 'G11 of one group one message is held',
    file: 'settle.sql',
    correct: 'wherry.open_groups(part.queue, removed.group_ids, group_slots[i], moment)',
    wrong: '0',
  },
  'a back-off gives its slot to the next of the group': {
    breaks: 'G11 a back-off blocks its group',
    file: 'release.sql',
    correct: 'given.group_id IS NOT NULL AND given.available_at < wherry.never()',
    wrong: 'given.group_id IS NOT NULL AND given.available_at <= moment',
  },
  'a deduplicationId is forgotten at once': {
    breaks: 'G12 within the window the second send answers',
    file: 'deduplication.sql',
    correct: 'WHERE deduplication.until <= moment',
    wrong: 'WHERE true',
  },
  'a deduplicationId is remembered a moment too long': {
    breaks: 'G12 the window ends at its time',
    file: 'deduplication.sql',
    correct: 'WHERE deduplication.until <= moment',
    wrong: 'WHERE deduplication.until < moment',
  },
  'a fence lets the same value in again': {
    breaks: 'G12 a fence lets a value in that is greater than the last',
    file: 'publish_each.sql',
    correct: 'WHERE present.value < excluded.value',
    wrong: 'WHERE present.value <= excluded.value',
  },
  'what was leased is replaced still': {
    breaks: 'G12 a message that was leased is replaced no more',
    file: 'choose.sql',
    correct: 'resumes_at = null,\n    replaceable = null\n',
    wrong: 'resumes_at = null\n',
  },
  'what a refused batch did stays done': {
    breaks: 'G13 an atomic batch with a refused item changes nothing',
    file: 'publish_each.sql',
    correct: 'IF is_atomic THEN\n          RAISE;',
    wrong: 'IF false THEN\n          RAISE;',
  },
  'what is swept stays in its old lease': {
    breaks: 'two sweepers cannot both act',
    file: 'sweep.sql',
    correct: 'PERFORM wherry.withdraw(part, held_places);',
    wrong: '',
  },
  'the sweeper is not told of TTLs': {
    breaks: 'a sweep says when to come again',
    file: 'sweep.sql',
    correct:
      '(SELECT expires_at FROM wherry.message WHERE expires_at > moment ORDER BY expires_at LIMIT 1),',
    wrong: '',
  },
  'maxInFlight holds for each take by itself': {
    breaks: 'limits: no more than maxInFlight are leased',
    file: 'take.sql',
    correct: 'max_in_flight - (wherry.totals(queue_number)).leased',
    wrong: 'max_in_flight',
  },
  'a rate lets one more go': {
    breaks: 'limits: a rate limit lets its number go',
    file: 'choose.sql',
    correct: 'line.bucket_level / rate_per END',
    wrong: 'line.bucket_level / rate_per + 1 END',
  },
  'a death counts as the first of its kind': {
    breaks: 'equal deaths are one entry, counted',
    file: 'arrival.sql',
    correct: '1 + coalesce(',
    wrong: '1 + 0 * coalesce(',
  },
  'what is dropped keeps its priority': {
    breaks: 'what is dropped keeps what the dead letters have',
    file: 'store_message.sql',
    correct: 'least(priority, target.max_priority)',
    wrong: 'priority',
  },
  'a bound on the bytes that wait counts what is leased': {
    breaks: 'G8 where a bound counts the bytes that wait',
    file: 'exceeded_limit.sql',
    correct: 'total.bytes - wherry.leased_bytes(target.number)',
    wrong: 'total.bytes',
  },
};
