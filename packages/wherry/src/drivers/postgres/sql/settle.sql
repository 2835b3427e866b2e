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
    USING (
      SELECT
        queue_number AS queue, unnest(proof.indexes) AS index, unnest(proof.lanes) AS lane,
        unnest(proof.sequences) AS sequence
      OFFSET 0
    ) AS proven
    WHERE message.queue = proven.queue AND message.lane = proven.lane
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
  first_index int;
  last_index int := 0;
  part wherry.lease;
  seen int[];
  removed wherry.removed;
  scheduled bigint;
  settled int[] := '{}';
  freed_queues int[] := '{}';
BEGIN
  grouped := wherry.lock_groups(queue_numbers, lease_numbers);
  moment := wherry.now(clock);
  PERFORM wherry.admit_to(grouped, moment);
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    first_index := last_index + 1;
    last_index := last_index + receipt_counts[i];
    seen := '{}';
    WHILE queue_numbers[i] <> ALL (missing) AND cardinality(settled) < last_index LOOP
      part := wherry.lock_next_part(queue_numbers[i], lease_numbers[i], moment, seen);
      EXIT WHEN part.queue IS NULL;
      seen := seen || part.part;
      removed := wherry.remove_proven(
        part.queue,
        wherry.proven(part, receipts, first_index, last_index), receipts
      );
      settled := settled || removed.indexes;
      scheduled := wherry.open_groups(part.queue, removed.group_ids, group_slots[i], moment);
      PERFORM wherry.count_gone(part, cardinality(removed.indexes));
      PERFORM wherry.count_change(
        part.queue, (-scheduled, scheduled, -cardinality(removed.indexes), -removed.bytes, 0)
      );
      IF removed.had_suspect OR removed.group_ids IS NOT NULL THEN
        freed_queues := freed_queues || part.queue;
      END IF;
    END LOOP;
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
  first_index int;
  last_index int := 0;
  part wherry.lease;
  proof wherry.proof;
  removed wherry.removed;
  settled int[] := '{}';
BEGIN
  FOR i IN 1 .. cardinality(lease_numbers) LOOP
    first_index := last_index + 1;
    last_index := last_index + receipt_counts[i];
    CONTINUE WHEN queue_numbers[i] = ANY (missing);
    FOR part IN
      SELECT * FROM wherry.lease
      WHERE queue = queue_numbers[i] AND number = lease_numbers[i]
        AND until + 0 > wherry.now(clock)
      ORDER BY lease.part
    LOOP
      proof := wherry.proven(part, receipts, first_index, last_index);
      PERFORM FROM (
        SELECT part.queue, unnest(proof.lanes) AS lane, unnest(proof.sequences) AS sequence OFFSET 0
      ) AS proven
      JOIN wherry.message ON message.queue = proven.queue AND message.lane = proven.lane
        AND message.sequence = proven.sequence
      FOR UPDATE OF message;
    END LOOP;
    -- Nobody else can lease them from now on: what the lease says now is what counts.
    moment := wherry.now(clock);
    FOR part IN
      SELECT * FROM wherry.lease
      WHERE queue = queue_numbers[i] AND number = lease_numbers[i] AND until + 0 > moment
      ORDER BY lease.part
    LOOP
      removed := wherry.remove_proven(
        part.queue,
        wherry.proven(part, receipts, first_index, last_index), receipts
      );
      settled := settled || removed.indexes;
      INSERT INTO wherry.group_left
      SELECT part.queue, unnest(removed.group_ids), group_slots[i];
      PERFORM wherry.count_change(
        part.queue, (0, 0, -cardinality(removed.indexes), -removed.bytes, 0), true
      );
      PERFORM wherry.announce_queue(part.queue, 'room');
      PERFORM wherry.announce_queue(part.queue, 'ready');
    END LOOP;
  END LOOP;
  RETURN json_build_object('lost', wherry.others(settled, cardinality(places)));
END
$$;
