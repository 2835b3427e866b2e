-- leased -> ready or scheduled, never refused for want of room (G8).

-- Gives one message back. Returns the queue's numbers as they are then.
CREATE FUNCTION wherry.give_back(
  line wherry.frontier, given wherry.message, slots int, moment bigint
) RETURNS wherry.frontier LANGUAGE plpgsql AS $$
DECLARE
  scheduled_count bigint;
BEGIN
  -- One that is parked for good leaves its group: the others need not wait for it.
  given.place := CASE
    WHEN given.group_id IS NOT NULL AND given.available_at < wherry.never() THEN 'waiting'
    WHEN given.available_at > moment THEN 'scheduled'
    WHEN given.suspect THEN 'suspect'
    ELSE 'ready'
  END;
  UPDATE wherry.message SET
    place = given.place,
    outside = null,
    available_at = given.available_at,
    retry_count = given.retry_count,
    delivery_count = given.delivery_count,
    suspect = given.suspect,
    parked = given.parked
  WHERE queue = given.queue AND lane = given.lane AND sequence = given.sequence;
  scheduled_count := (given.place = 'scheduled')::int;
  IF given.group_id IS NOT NULL THEN
    scheduled_count := scheduled_count
      + wherry.open_group(given.queue, given.group_id, slots, moment);
  END IF;
  line.leased := line.leased - 1;
  line.ready := line.ready + 1 - scheduled_count;
  line.scheduled := line.scheduled + scheduled_count;
  RETURN line;
END
$$;

-- Locks: existence; taking; rows of `lease`, in their order. A message that a caller's transaction is
-- settling is lost to its holder: if that rolls back, it stays leased until its time.
CREATE FUNCTION wherry.release(
  clock bigint,
  -- By lease, in order: its queue, the slots of a group there, its number, how many receipts.
  queue_numbers int[],
  group_slots int[],
  lease_numbers bigint[],
  receipt_counts int[],
  -- By receipt: see the type `receipts`.
  places int[],
  sequences bigint[],
  ids text[],
  -- Milliseconds; null: for ever.
  delays bigint[],
  -- How much the delivery adds to each count.
  retries int[],
  deliveries int[],
  -- Whether its holder died; null: as before.
  suspects boolean[],
  -- JSON; null: as before; 'null': not any more.
  all_parked text[]
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  receipts wherry.receipts := (places, sequences, ids);
  missing int[] := wherry.lock_existence(queue_numbers);
  present int[] := ARRAY(SELECT unnest(queue_numbers) EXCEPT SELECT unnest(missing));
  moment bigint;
  first_index int;
  last_index int := 0;
  part wherry.lease;
  seen int[];
  proof wherry.proof;
  line wherry.frontier;
  given wherry.message;
  index int;
  withdrawn int[];
  released int[] := '{}';
BEGIN
  PERFORM wherry.lock_taking(present);
  moment := wherry.now(clock);
  PERFORM wherry.admit_to(present, moment);
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    first_index := last_index + 1;
    last_index := last_index + receipt_counts[i];
    seen := '{}';
    WHILE queue_numbers[i] <> ALL (missing) AND cardinality(released) < last_index LOOP
      part := wherry.lock_next_part(queue_numbers[i], lease_numbers[i], moment, seen);
      EXIT WHEN part.queue IS NULL;
      seen := seen || part.part;
      line := wherry.read_frontier(part.queue);
      proof := wherry.proven(part, receipts, first_index, last_index);
      withdrawn := '{}';
      FOR at IN 1 .. coalesce(cardinality(proof.indexes), 0) LOOP
        index := proof.indexes[at];
        SELECT * INTO given FROM wherry.message
        WHERE queue = part.queue AND lane = proof.lanes[at] AND sequence = proof.sequences[at]
          AND id IS NOT DISTINCT FROM ids[index]
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        given.available_at := least(coalesce(moment + delays[index], wherry.never()), wherry.never());
        given.retry_count := coalesce(given.retry_count, 0) + retries[index];
        given.delivery_count := coalesce(given.delivery_count, 0) + deliveries[index];
        given.suspect := nullif(coalesce(suspects[index], given.suspect), false);
        given.parked := nullif(coalesce(all_parked[index], given.parked::text), 'null')::json;
        line := wherry.give_back(line, given, group_slots[i], moment);
        withdrawn := withdrawn || places[index];
        released := released || index;
      END LOOP;
      PERFORM wherry.withdraw(part, withdrawn);
      PERFORM wherry.write_frontier(line);
    END LOOP;
  END LOOP;
  RETURN wherry.others(released, cardinality(places));
END
$$;
