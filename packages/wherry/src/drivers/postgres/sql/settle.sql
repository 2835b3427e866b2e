-- leased -> gone.

CREATE TYPE wherry.removed AS (
  -- Of the receipts.
  indexes int[],
  bytes bigint,
  -- Groups that they were of.
  group_ids text[],
  had_suspect boolean
);

-- Removes messages that receipts prove to be held, if they have the ids of the receipts.
CREATE FUNCTION wherry.remove_proven(
  queue_number int, proof wherry.proof, receipts wherry.receipts
) RETURNS wherry.removed LANGUAGE plpgsql AS $$
DECLARE
  ids text[] := receipts.ids;
  removed wherry.removed;
BEGIN
  WITH gone AS (
    DELETE FROM wherry.message
    USING unnest(proof.indexes, proof.lanes, proof.sequences) AS proven(index, lane, sequence)
    WHERE message.queue = queue_number AND message.lane = proven.lane
      AND message.sequence = proven.sequence AND message.id IS NOT DISTINCT FROM ids[proven.index]
    RETURNING proven.index, message.bytes, message.group_id, message.suspect
  )
  SELECT
    coalesce(array_agg(index), '{}'), coalesce(sum(bytes), 0),
    array_agg(DISTINCT group_id) FILTER (WHERE group_id IS NOT NULL),
    coalesce(bool_or(suspect), false)
  INTO removed FROM gone;
  RETURN removed;
END
$$;

-- Locks: existence; taking, of queues where a lease has members of groups, for then others of the
-- group come up; rows of `lease`, in their order.
CREATE FUNCTION wherry.settle(
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
  -- Indexes of receipts that prove no present lease (G4).
  OUT lost text,
  -- Queues where something may have come up that was held back.
  OUT freed text
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  receipts wherry.receipts := (places, sequences, ids);
  missing int[] := wherry.lock_existence(queue_numbers);
  grouped int[];
  moment bigint;
  first_index int := 1;
  part wherry.lease;
  removed wherry.removed;
  scheduled bigint;
  settled int[] := '{}';
  freed_queues int[] := '{}';
BEGIN
  grouped := wherry.lock_groups(queue_numbers, lease_numbers);
  moment := wherry.now(clock);
  PERFORM wherry.admit_to(grouped, moment);
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    FOR part IN
      SELECT * FROM wherry.lease
      WHERE queue = queue_numbers[i] AND number = lease_numbers[i] AND until > moment
        AND queue <> ALL (missing)
      ORDER BY lease.part FOR UPDATE
    LOOP
      removed := wherry.remove_proven(
        part.queue,
        wherry.proven(part, receipts, first_index, first_index + receipt_counts[i] - 1), receipts
      );
      settled := settled || removed.indexes;
      scheduled := wherry.open_groups(part.queue, removed.group_ids, group_slots[i], moment);
      PERFORM wherry.count_gone(part, cardinality(removed.indexes));
      PERFORM wherry.count_change(
        part.queue, (-scheduled, scheduled, -cardinality(removed.indexes), -removed.bytes)
      );
      IF removed.had_suspect OR removed.group_ids IS NOT NULL THEN
        freed_queues := freed_queues || part.queue;
      END IF;
    END LOOP;
    first_index := first_index + receipt_counts[i];
  END LOOP;
  lost := wherry.others(settled, cardinality(places))::text;
  freed := freed_queues::text;
END
$$;

-- The same in a caller's transaction, which may last: nothing is locked but the messages, so other
-- messages of the same lease can be settled, and leases extended, meanwhile. The lease's row stays
-- until its time; what it lists and is not there does not count.
CREATE FUNCTION wherry.settle_in_transaction(
  clock bigint,
  queue_numbers int[],
  group_slots int[],
  lease_numbers bigint[],
  receipt_counts int[],
  places int[],
  sequences bigint[],
  ids text[]
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  receipts wherry.receipts := (places, sequences, ids);
  missing int[] := wherry.lock_existence(queue_numbers);
  moment bigint;
  first_index int := 1;
  part wherry.lease;
  proof wherry.proof;
  removed wherry.removed;
  settled int[] := '{}';
BEGIN
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    FOR part IN
      SELECT * FROM wherry.lease
      WHERE queue = queue_numbers[i] AND number = lease_numbers[i] AND queue <> ALL (missing)
      ORDER BY lease.part
    LOOP
      proof := wherry.proven(part, receipts, first_index, first_index + receipt_counts[i] - 1);
      PERFORM FROM unnest(proof.lanes, proof.sequences) AS proven(lane, sequence)
      JOIN wherry.message ON message.queue = part.queue AND message.lane = proven.lane
        AND message.sequence = proven.sequence
      FOR UPDATE OF message;
      -- Nobody else can lease them from now on: what the lease says now is what counts.
      moment := wherry.now(clock);
      SELECT * INTO part FROM wherry.lease AS present
      WHERE present.queue = part.queue AND present.number = part.number
        AND present.part = part.part AND until > moment;
      CONTINUE WHEN NOT FOUND;
      removed := wherry.remove_proven(
        part.queue,
        wherry.proven(part, receipts, first_index, first_index + receipt_counts[i] - 1), receipts
      );
      settled := settled || removed.indexes;
      INSERT INTO wherry.group_left
      SELECT part.queue, unnest(removed.group_ids), group_slots[i];
      PERFORM wherry.count_change(
        part.queue, (0, 0, -cardinality(removed.indexes), -removed.bytes), true
      );
      PERFORM wherry.announce_queue(part.queue, 'room');
      PERFORM wherry.announce_queue(part.queue, 'ready');
    END LOOP;
    first_index := first_index + receipt_counts[i];
  END LOOP;
  RETURN json_build_object('lost', wherry.others(settled, cardinality(places)));
END
$$;
