-- The usual case: JSON in one queue, nothing special about any. Many times the same is stored in two
-- thirds of the time. The sequences were drawn by who owns the strand.
CREATE FUNCTION wherry.insert_plain(
  queue_number int, strand int, sequences bigint[], sizes int[], starts int[], lengths int[],
  bodies bytea, moment bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  lane_number int := wherry.lane_of(0, strand);
BEGIN
  INSERT INTO wherry.message (sequence, stored_at, queue, lane, bytes, encoding, body)
  SELECT
    sequence, moment, queue_number, lane_number, size, 0, substring(bodies FROM start FOR length)
  FROM unnest(sequences, sizes, starts, lengths) AS given(sequence, size, start, length);
  PERFORM wherry.list_lane(queue_number, lane_number);
  PERFORM wherry.count_change(queue_number, (
    cardinality(sequences), 0, 0, (SELECT sum(size) FROM unnest(sizes) AS size),
    cardinality(sequences)
  ));
END
$$;

-- Stores messages: all of them, or, if anything is in the way of one, none. Then it returns null and
-- has changed nothing, and publish_each (publish_each.sql) decides item by item. In the way are a
-- queue that does not exist and a bound that would be exceeded.
--
-- Locks: existence; room of queues with a bound; a strand of each queue; rows of `deduplication`; for
-- arrivals in groups where others wait needlessly, taking.
-- Returns JSON: when they were stored, their sequences (null: it was sent before) and, by index, the
-- ids of those sent before.
CREATE FUNCTION wherry.publish(
  clock bigint,
  -- The queues, each once, in ascending order; bounds are null where there are none.
  queue_numbers int[],
  size_limits bigint[],
  byte_limits bigint[],
  group_slots int[],
  -- By message; an array that is null holds nothing but its default.
  -- Indexes into queue_numbers (default: 1).
  queue_indexes int[],
  priorities int[],
  -- Default: the lengths of the bodies.
  sizes int[],
  encodings int[],
  body_starts int[],
  body_lengths int[],
  bodies bytea,
  all_properties text[],
  delays bigint[],
  deliver_ats bigint[],
  ttls bigint[],
  group_ids text[],
  deduplication_ids text[],
  -- Default: the id is not to be remembered. One that is, is here once per queue.
  deduplication_windows bigint[],
  all_deaths text[],
  -- Indexes of the first copy of the same fan-out (default: it is no copy).
  copies_of int[],
  in_transaction boolean
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  moment bigint;
  strands int[];
  new_sequences bigint[];
  known jsonb;
  part record;
BEGIN
  IF in_transaction THEN
    PERFORM wherry.see_present_queues(queue_numbers, size_limits, byte_limits);
  END IF;
  IF wherry.lock_existence(queue_numbers) <> '{}' THEN
    RETURN null;
  END IF;
  IF (size_limits IS NOT NULL OR byte_limits IS NOT NULL) AND NOT wherry.has_room(
    queue_numbers, size_limits, byte_limits, queue_indexes, coalesce(sizes, body_lengths)
  ) THEN
    RETURN null;
  END IF;
  FOR i IN 1 .. cardinality(queue_numbers) LOOP
    strands[i] := wherry.own_strand(queue_numbers[i]);
  END LOOP;
  moment := wherry.now(clock);
  new_sequences := ARRAY(
    SELECT nextval('wherry.message_sequence') FROM generate_series(1, cardinality(body_lengths))
  );
  IF deduplication_windows IS NOT NULL THEN
    known := wherry.remember(
      moment, queue_numbers, queue_indexes, deduplication_ids, deduplication_windows, new_sequences
    );
    new_sequences := ARRAY(
      SELECT CASE WHEN NOT known ? at::text THEN sequence END
      FROM unnest(new_sequences) WITH ORDINALITY AS drawn(sequence, at) ORDER BY at
    );
  END IF;
  IF num_nonnulls(
    queue_indexes, priorities, encodings, all_properties, delays, deliver_ats, ttls, group_ids,
    deduplication_ids, all_deaths, copies_of
  ) = 0 AND NOT in_transaction THEN
    PERFORM wherry.insert_plain(
      queue_numbers[1], strands[1], new_sequences, coalesce(sizes, body_lengths), body_starts,
      body_lengths, bodies, moment
    );
    RETURN json_build_object('now', moment, 'sequences', new_sequences);
  END IF;
  FOR part IN
    WITH stored AS (
      INSERT INTO wherry.message (
        sequence, stored_at, queue, lane, bytes, encoding, body, properties, publish_id, group_id,
        deduplication_id, available_at, expires_at, deaths, place, slots
      )
      SELECT
        sequence, moment, queue_numbers[queue_index],
        wherry.lane_of(
          coalesce(priority, 0),
          CASE WHEN place IS NULL THEN strands[queue_index] ELSE wherry.no_strand() END
        ),
        coalesce(size, length), coalesce(encoding, 0), substring(bodies FROM start FOR length),
        properties,
        CASE WHEN copy_of IS NOT NULL THEN wherry.message_id(
          queue_numbers[queue_indexes[copy_of]], moment, new_sequences[copy_of]
        ) END,
        group_id, deduplication_id, nullif(begins, moment), begins + ttl, deaths::json, place,
        CASE WHEN place = 'arrived' THEN group_slots[queue_index] END
      FROM unnest(
        new_sequences, queue_indexes, priorities, sizes, encodings, body_starts, body_lengths,
        all_properties, delays, deliver_ats, ttls, group_ids, deduplication_ids, all_deaths,
        copies_of
      ) AS given(
        sequence, given_index, priority, size, encoding, start, length,
        properties, delay, deliver_at, ttl, group_id, deduplication_id, deaths, copy_of
      )
      CROSS JOIN LATERAL (
        SELECT
          coalesce(given_index, 1) AS queue_index,
          greatest(moment, deliver_at, moment + delay) AS begins,
          CASE
            WHEN greatest(deliver_at, moment + delay) > moment THEN 'scheduled'
            WHEN group_id IS NOT NULL THEN 'arrived'
          END AS place
      ) AS derived
      WHERE sequence IS NOT NULL
      RETURNING message.queue, message.lane, message.bytes, message.place
    )
    SELECT
      queue, lane, count(*) FILTER (WHERE place = 'scheduled') AS scheduled, count(*),
      sum(bytes) AS bytes
    FROM stored GROUP BY queue, lane ORDER BY queue, lane
  LOOP
    PERFORM wherry.list_lane(part.queue, part.lane);
    PERFORM wherry.count_change(
      part.queue, (part.count - part.scheduled, part.scheduled, 0, part.bytes, part.count),
      in_transaction
    );
    IF in_transaction THEN
      PERFORM wherry.announce_queue(part.queue, 'ready');
    END IF;
  END LOOP;
  IF group_ids IS NOT NULL AND NOT in_transaction THEN
    PERFORM wherry.open_for_arrivals(
      queue_numbers[queue_index], array_agg(DISTINCT group_id), group_slots[queue_index], moment
    )
    FROM unnest(queue_indexes, group_ids) AS given(given_index, group_id)
    CROSS JOIN LATERAL (SELECT coalesce(given_index, 1) AS queue_index) AS derived
    WHERE group_id IS NOT NULL GROUP BY queue_index;
  END IF;
  RETURN json_build_object('now', moment, 'sequences', new_sequences, 'known', known);
END
$$;
