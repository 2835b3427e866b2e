-- Leases end later, counted from now.
--
-- Locks: existence; rows of `lease`, in their order. Messages that a caller's transaction is settling
-- are extended like others, and without waiting for it.
CREATE FUNCTION wherry.extend(
  clock bigint,
  -- By lease and duration, in order: its queue, its number, how many receipts, milliseconds.
  queue_numbers int[],
  lease_numbers bigint[],
  receipt_counts int[],
  durations bigint[],
  -- By receipt, each once: see the type `receipts`.
  places int[],
  sequences bigint[],
  ids text[]
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  receipts wherry.receipts := (places, sequences, ids);
  missing int[] := wherry.lock_existence(queue_numbers);
  moment bigint := wherry.now(clock);
  first_index int;
  last_index int := 0;
  part wherry.lease;
  seen int[];
  proof wherry.proof;
  extended int[] := '{}';
BEGIN
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    first_index := last_index + 1;
    last_index := last_index + receipt_counts[i];
    seen := '{}';
    WHILE queue_numbers[i] <> ALL (missing) AND cardinality(extended) < last_index LOOP
      part := wherry.lock_next_part(queue_numbers[i], lease_numbers[i], moment, seen);
      EXIT WHEN part.queue IS NULL;
      seen := seen || part.part;
      proof := wherry.proven(part, receipts, first_index, last_index);
      -- Only what is there still.
      SELECT array_agg(index), array_agg(lane), array_agg(sequence) INTO proof
      FROM (
        SELECT
          part.queue, unnest(proof.indexes) AS index, unnest(proof.lanes) AS lane,
          unnest(proof.sequences) AS sequence
        OFFSET 0
      ) AS proven
      WHERE EXISTS (
        SELECT FROM wherry.message
        WHERE message.queue = proven.queue AND message.lane = proven.lane
          AND message.sequence = proven.sequence
          AND message.id IS NOT DISTINCT FROM ids[proven.index]
      );
      CONTINUE WHEN proof.indexes IS NULL;
      extended := extended || proof.indexes;
      seen := seen || wherry.extend_part(
        part, ARRAY(SELECT places[index] FROM unnest(proof.indexes) AS index), moment + durations[i]
      );
    END LOOP;
  END LOOP;
  RETURN wherry.others(extended, cardinality(places));
END
$$;

-- Those in these places end then. If they are not all of the part, they become one of their own.
-- Returns the part that they are then.
CREATE FUNCTION wherry.extend_part(part wherry.lease, places int[], new_until bigint)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  new_part int;
  held bigint[] := array_fill(0::bigint, ARRAY[cardinality(part.sequences)]);
BEGIN
  IF cardinality(places) >= part.remaining THEN
    UPDATE wherry.lease SET until = new_until
    WHERE queue = part.queue AND number = part.number AND lease.part = extend_part.part.part;
    RETURN part.part;
  END IF;
  FOR i IN 1 .. cardinality(places) LOOP
    held[places[i]] := part.sequences[places[i]];
  END LOOP;
  PERFORM wherry.withdraw(part, places);
  INSERT INTO wherry.lease (
    queue, number, part, until, consumer, cause, grouped, remaining, sequences, lanes, lane
  )
  VALUES (
    part.queue, part.number, nextval('wherry.lease_part'), new_until, part.consumer, part.cause,
    part.grouped, cardinality(places), held, part.lanes, part.lane
  ) RETURNING lease.part INTO new_part;
  RETURN new_part;
END
$$;
