-- Leases what expired to the sweeper, with a token, so that two sweepers cannot both act; promotes
-- what is due; forgets what is over; cleans up.

CREATE TYPE wherry.swept AS (
  messages wherry.envelopes,
  -- By message, as PostgreSQL writes arrays: its lease, its place there, and why it was swept.
  lease_numbers text,
  places text,
  causes text,
  until bigint,
  -- Milliseconds until something will be due; null: nothing is.
  next_in bigint,
  -- Queues where something came up.
  woken text,
  -- JSON: by number, the names of the queues.
  names text
);

-- What a sweep has found so far.
CREATE TYPE wherry.haul AS (
  queues int[], lanes int[], sequences bigint[], lease_numbers bigint[], places int[], causes text[]
);

-- Leases messages to the sweeper.
CREATE FUNCTION wherry.lease_to_sweeper(
  haul wherry.haul, queue_number int, held wherry.keys, until bigint, cause text,
  is_grouped boolean
) RETURNS wherry.haul LANGUAGE plpgsql AS $$
DECLARE
  last int := cardinality(held.sequences);
  numbers bigint[] := wherry.lease_out(queue_number, held, until, '#sweeper', cause, is_grouped);
BEGIN
  haul.queues := haul.queues || array_fill(queue_number, ARRAY[last]);
  haul.lanes := haul.lanes || held.lanes;
  haul.sequences := haul.sequences || held.sequences;
  haul.lease_numbers := haul.lease_numbers
    || ARRAY(SELECT numbers[(at - 1) / 1024 + 1] FROM generate_series(1, last) AS at);
  haul.places := haul.places || ARRAY(SELECT (at - 1) % 1024 + 1 FROM generate_series(1, last) AS at);
  haul.causes := haul.causes || array_fill(cause, ARRAY[last]);
  RETURN haul;
END
$$;

-- The leases of a queue that ended: their messages, at most so many in all. A message that a caller's
-- transaction is settling stays until that ends.
CREATE FUNCTION wherry.sweep_leases(
  haul wherry.haul, queue_number int, max_messages int, moment bigint, until bigint
) RETURNS wherry.haul LANGUAGE plpgsql AS $$
DECLARE
  part wherry.lease;
  held wherry.keys;
  held_places int[];
  is_all boolean;
BEGIN
  FOR part IN
    SELECT * FROM wherry.lease WHERE queue + 0 = queue_number AND lease.until <= moment
    ORDER BY lease.until, number, lease.part FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN cardinality(haul.sequences) >= max_messages;
    SELECT array_agg(lane), array_agg(sequence), array_agg(place::int)
    INTO held.lanes, held.sequences, held_places
    FROM (
      SELECT message.lane, message.sequence, listed.place
      FROM (
        SELECT queue_number AS queue, * FROM unnest(part.sequences)
          WITH ORDINALITY AS place(sequence, place)
        OFFSET 0
      ) AS listed
      JOIN wherry.message ON message.queue = listed.queue
        AND message.lane = coalesce(part.lanes[listed.place], part.lane)
        AND message.sequence = listed.sequence
      ORDER BY listed.place LIMIT max_messages - cardinality(haul.sequences)
      FOR UPDATE OF message SKIP LOCKED
    ) AS found;
    IF held.sequences IS NOT NULL THEN
      haul := wherry.lease_to_sweeper(
        haul, queue_number, held, until, coalesce(part.cause, 'lease-expired'), part.grouped
      );
      PERFORM wherry.withdraw(part, held_places);
    END IF;
    -- What is left of it was settled in a transaction, or is being so.
    DELETE FROM wherry.lease
    WHERE queue = queue_number AND number = part.number AND lease.part = part.part
      AND NOT EXISTS (
        SELECT FROM (
          SELECT queue_number AS queue, * FROM unnest(lease.sequences)
            WITH ORDINALITY AS place(sequence, place)
          OFFSET 0
        ) AS listed
        JOIN wherry.message ON message.queue = listed.queue
          AND message.lane = coalesce(part.lanes[listed.place], part.lane)
          AND message.sequence = listed.sequence
      );
  END LOOP;
  RETURN haul;
END
$$;

-- Messages past their TTL that nobody holds, at most so many.
CREATE FUNCTION wherry.overdue(moment bigint, max_messages int)
RETURNS TABLE (queue int, lane int, sequence bigint) LANGUAGE sql STABLE AS $$
  SELECT message.queue, message.lane, message.sequence FROM wherry.message
  WHERE expires_at <= moment AND parked IS NULL AND CASE
    WHEN place IS NULL
      THEN wherry.is_behind(wherry.read_frontier(message.queue), message.lane, message.sequence)
    ELSE place NOT IN ('leased', 'leased suspect')
  END
  ORDER BY expires_at LIMIT max_messages
$$;

-- Some messages of a queue that were overdue and not held when we looked.
CREATE FUNCTION wherry.sweep_overdue(
  INOUT haul wherry.haul, INOUT line wherry.frontier, keys wherry.keys, until bigint,
  moment bigint
) LANGUAGE plpgsql AS $$
DECLARE
  held wherry.keys := ('{}', '{}');
  chosen record;
  is_grouped boolean := false;
BEGIN
  FOR chosen IN
    SELECT message.lane, message.sequence, place, group_id
    FROM (
      SELECT line.queue, unnest(keys.lanes) AS lane, unnest(keys.sequences) AS sequence OFFSET 0
    ) AS key
    JOIN wherry.message ON message.queue = key.queue AND message.lane = key.lane
      AND message.sequence = key.sequence
    WHERE CASE WHEN place IS NULL THEN wherry.is_behind(line, message.lane, message.sequence)
      ELSE place NOT IN ('leased', 'leased suspect') END
      -- It may have been replaced since.
      AND expires_at <= moment AND parked IS NULL
    FOR UPDATE OF message SKIP LOCKED
  LOOP
    held := (
      held.lanes || wherry.lease_out_of_turn(line, chosen.lane, chosen.sequence),
      held.sequences || chosen.sequence
    );
    is_grouped := is_grouped OR chosen.group_id IS NOT NULL;
    line.leased := line.leased + 1;
    IF chosen.place = 'scheduled' THEN
      line.scheduled := line.scheduled - 1;
    ELSE
      line.ready := line.ready - 1;
    END IF;
  END LOOP;
  IF held.sequences <> '{}' THEN
    haul := wherry.lease_to_sweeper(haul, line.queue, held, until, 'expired', is_grouped);
  END IF;
END
$$;

-- Adds what callers' transactions have counted to a queue's frontier.
CREATE FUNCTION wherry.fold_tallies(line wherry.frontier) RETURNS wherry.frontier
LANGUAGE plpgsql AS $$
DECLARE
  added wherry.change;
BEGIN
  WITH gone AS (
    DELETE FROM wherry.tally WHERE queue = line.queue AND slot = -1
    RETURNING ready, scheduled, leased, bytes, arrived
  )
  SELECT sum(ready), sum(scheduled), sum(leased), sum(bytes), sum(arrived) INTO added FROM gone;
  line.ready := line.ready + coalesce(added.ready, 0);
  line.scheduled := line.scheduled + coalesce(added.scheduled, 0);
  line.leased := line.leased + coalesce(added.leased, 0);
  line.bytes := line.bytes + coalesce(added.bytes, 0);
  line.arrived := line.arrived + coalesce(added.arrived, 0);
  RETURN line;
END
$$;

-- Milliseconds until something will be due.
CREATE FUNCTION wherry.next_due_in(moment bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT least(
    (SELECT until FROM wherry.lease WHERE until > moment ORDER BY until LIMIT 1),
    (SELECT expires_at FROM wherry.message WHERE expires_at > moment ORDER BY expires_at LIMIT 1),
    (SELECT available_at FROM wherry.message
     WHERE place = 'scheduled' AND available_at > moment AND available_at < wherry.never()
     ORDER BY available_at LIMIT 1),
    (SELECT until FROM wherry.deduplication WHERE until > moment ORDER BY until LIMIT 1)
  ) - moment
$$;

-- Locks: existence and taking of all queues where something is due, in their order; rows of `lease`
-- and messages, but none that others have locked.
CREATE FUNCTION wherry.sweep(clock bigint, max_messages int) RETURNS wherry.swept
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  moment bigint := wherry.now(clock);
  until bigint := moment + 30000;
  queue_numbers int[];
  missing int[];
  keys wherry.keys;
  old wherry.frontier;
  line wherry.frontier;
  haul wherry.haul := ('{}', '{}', '{}', '{}', '{}', '{}');
  swept record;
  woken int[] := '{}';
  answer wherry.swept;
  queue_number int;
  overdue_queues int[];
  overdue_keys wherry.keys;
  has_more boolean := false;
BEGIN
  SELECT
    coalesce(array_agg(queue), '{}'), coalesce(array_agg(lane), '{}'),
    coalesce(array_agg(sequence), '{}')
  INTO overdue_queues, overdue_keys.lanes, overdue_keys.sequences
  FROM wherry.overdue(moment, max_messages);
  queue_numbers := ARRAY(
    SELECT DISTINCT queue FROM (
      (SELECT queue FROM wherry.lease WHERE lease.until <= moment
       ORDER BY lease.until LIMIT max_messages)
      UNION ALL
      (SELECT queue FROM wherry.message WHERE place = 'scheduled' AND available_at <= moment
       ORDER BY available_at LIMIT max_messages)
      UNION ALL
      SELECT unnest(overdue_queues)
      UNION ALL
      (SELECT queue FROM wherry.tally WHERE slot = -1 LIMIT max_messages)
    ) AS due
    WHERE EXISTS (SELECT FROM wherry.queue WHERE number = due.queue)
    ORDER BY queue LIMIT 100
  );
  missing := wherry.lock_existence(queue_numbers);
  queue_numbers := ARRAY(
    SELECT number FROM unnest(queue_numbers) AS number WHERE number <> ALL (missing) ORDER BY 1
  );
  PERFORM wherry.lock_taking(queue_numbers);
  FOREACH queue_number IN ARRAY queue_numbers LOOP
    old := wherry.read_frontier(queue_number);
    line := wherry.wake(old, moment);
    IF line.scheduled <> old.scheduled THEN
      woken := woken || queue_number;
    END IF;
    has_more := has_more OR wherry.is_asleep(queue_number, moment);
    line := wherry.fold_tallies(line);
    haul := wherry.sweep_leases(haul, queue_number, max_messages, moment, until);
    SELECT array_agg(lane), array_agg(sequence) INTO keys
    FROM (
      SELECT lane, sequence
      FROM unnest(overdue_queues, overdue_keys.lanes, overdue_keys.sequences)
        AS given(queue, lane, sequence)
      WHERE queue = queue_number LIMIT greatest(0, max_messages - cardinality(haul.sequences))
    ) AS few;
    IF keys.sequences IS NOT NULL THEN
      swept := wherry.sweep_overdue(haul, line, keys, until, moment);
      haul := swept.haul;
      line := swept.line;
    END IF;
    IF line IS DISTINCT FROM old THEN
      PERFORM wherry.write_frontier(line);
    END IF;
  END LOOP;
  PERFORM wherry.forget(moment);
  answer.messages := wherry.pack(haul.queues, haul.lanes, haul.sequences);
  answer.lease_numbers := haul.lease_numbers::text;
  answer.places := haul.places::text;
  answer.causes := haul.causes::text;
  answer.until := until;
  answer.woken := woken::text;
  answer.names := json_object_agg(number, name)
  FROM wherry.topology WHERE number = ANY (haul.queues);
  answer.next_in := CASE
    WHEN has_more OR cardinality(haul.sequences) >= max_messages
      OR cardinality(queue_numbers) = 100
      OR NOT wherry.remove_deleted(5000) THEN 0
    ELSE wherry.next_due_in(moment)
  END;
  RETURN answer;
END
$$;

-- Forgets deduplication ids whose window is over, and buckets that are full again.
CREATE FUNCTION wherry.forget(moment bigint) RETURNS void LANGUAGE sql AS $$
  DELETE FROM wherry.deduplication WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM wherry.deduplication WHERE until <= moment
    ORDER BY until LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
  DELETE FROM wherry.group_bucket WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM wherry.group_bucket WHERE at + rate_per <= moment
    ORDER BY at + rate_per LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
$$;
