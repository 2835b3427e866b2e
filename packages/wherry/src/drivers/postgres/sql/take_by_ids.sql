-- ready or scheduled -> leased, out of turn: due or not, parked or not.

-- Leases one message out of turn. A plain one leaves its lane, for the frontier has not passed it.
-- Returns the lane where it is then.
CREATE FUNCTION wherry.lease_out_of_turn(
  line wherry.frontier, old_lane int, message_sequence bigint
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  new_lane int;
BEGIN
  UPDATE wherry.message SET
    lane = CASE WHEN place IS NULL THEN lane | wherry.no_strand() ELSE lane END,
    place = CASE WHEN suspect THEN 'leased suspect' ELSE 'leased' END,
    outside = CASE WHEN group_id IS NOT NULL THEN true END,
    resumes_at = null,
    replaceable = null
  WHERE queue = line.queue AND lane = old_lane AND sequence = message_sequence
  RETURNING lane INTO new_lane;
  PERFORM wherry.list_lane(line.queue, new_lane);
  RETURN new_lane;
END
$$;

-- Where messages of a queue lie: by their sequences, 0 where that does not follow from the id, and
-- then by their ids.
CREATE FUNCTION wherry.locate(queue_number int, message_sequences bigint[], ids text[])
RETURNS TABLE (lane int, sequence bigint, at bigint) LANGUAGE sql STABLE AS $$
  SELECT message.lane, message.sequence, asked.at
  FROM unnest(message_sequences) WITH ORDINALITY AS asked(sequence, at)
  CROSS JOIN LATERAL (
    SELECT message.lane, message.sequence
    FROM (
      SELECT DISTINCT lane.queue, lane.lane FROM wherry.lane WHERE lane.queue = queue_number
      OFFSET 0
    ) AS listed
    JOIN wherry.message ON message.queue = listed.queue AND message.lane = listed.lane
      AND message.sequence = asked.sequence
    WHERE message.id IS NULL
  ) AS message
  UNION ALL
  SELECT message.lane, message.sequence, asked.at
  FROM unnest(ids) WITH ORDINALITY AS asked(id, at)
  JOIN wherry.message ON message.id = asked.id AND message.queue = queue_number
$$;

-- Locks: existence; taking.
CREATE FUNCTION wherry.take_by_ids(
  clock bigint,
  queue_number int,
  max_messages int,
  lease_duration bigint,
  consumer text,
  slots int,
  group_rate_max bigint,
  group_rate_per bigint,
  message_sequences bigint[],
  ids text[]
) RETURNS wherry.taken LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  moment bigint;
  line wherry.frontier;
  chosen record;
  held wherry.keys := ('{}', '{}');
  is_grouped boolean := false;
  answer wherry.taken;
BEGIN
  PERFORM wherry.lock_existence(ARRAY[queue_number]);
  PERFORM wherry.lock_taking(ARRAY[queue_number]);
  line := wherry.read_frontier(queue_number);
  IF line.queue IS NULL THEN
    answer.is_missing := true;
    RETURN answer;
  END IF;
  moment := wherry.now(clock);
  line := wherry.heed(line, slots, group_rate_max, group_rate_per, moment);
  line := wherry.wake(line, moment);
  FOR chosen IN
    SELECT message.lane, message.sequence, place, group_id
    FROM (
      SELECT queue_number AS queue, * FROM wherry.locate(queue_number, message_sequences, ids)
      OFFSET 0
    ) AS located
    JOIN wherry.message ON message.queue = located.queue AND message.lane = located.lane
      AND message.sequence = located.sequence
    WHERE (parked IS NOT NULL OR (expires_at <= moment) IS NOT TRUE)
      AND CASE WHEN place IS NULL THEN wherry.is_behind(line, message.lane, message.sequence)
        ELSE place NOT IN ('leased', 'leased suspect') END
    ORDER BY located.at LIMIT max_messages FOR UPDATE OF message SKIP LOCKED
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
  answer.until := moment + lease_duration;
  answer.lease_numbers := wherry.lease_out(
    queue_number, held, answer.until, consumer, null, is_grouped
  )::text;
  answer.messages := wherry.pack(
    array_fill(queue_number, ARRAY[cardinality(held.sequences)]), held.lanes, held.sequences
  );
  PERFORM wherry.write_frontier(line);
  RETURN answer;
END
$$;
