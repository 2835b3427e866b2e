-- The making and unmaking of queues.

CREATE FUNCTION wherry.create_queue(queue_number int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO wherry.queue VALUES (queue_number);
  INSERT INTO wherry.frontier (
    queue, version, updates, lanes, positions, ready, scheduled, leased, bytes, arrived, slots
  ) VALUES (queue_number, 1, 0, '{}', '{}', 0, 0, 0, 0, 0, 1);
END
$$;

-- Deletes a queue and its entry in the topology; leases of it are void at once, the messages are
-- unreachable at once and removed by the sweeper bit by bit. Waits for transactions that work on it.
-- `messages`: how many it had; null when there is no such queue.
CREATE FUNCTION wherry.delete_queue(
  queue_number int, only_if_empty boolean, OUT deleted boolean, OUT messages bigint
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  total wherry.change;
BEGIN
  PERFORM pg_advisory_xact_lock(wherry.lock_key(1, queue_number, 0));
  IF NOT EXISTS (SELECT FROM wherry.queue WHERE number = queue_number) THEN
    deleted := false;
    RETURN;
  END IF;
  total := wherry.totals(queue_number);
  messages := total.ready + total.scheduled + total.leased;
  deleted := messages = 0 OR NOT only_if_empty;
  IF NOT deleted THEN
    RETURN;
  END IF;
  DELETE FROM wherry.queue WHERE number = queue_number;
  DELETE FROM wherry.frontier WHERE queue = queue_number;
  DELETE FROM wherry.tally WHERE queue = queue_number;
  INSERT INTO wherry.deleted_queue VALUES (queue_number);
  PERFORM wherry.topology_remove_number(queue_number);
END
$$;

-- Removes what deleted queues left, at most so many rows of each kind. Returns whether that is all.
CREATE FUNCTION wherry.remove_deleted(max_rows int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  gone int;
  removed bigint;
  is_done boolean := true;
  of_queue text;
BEGIN
  SELECT number INTO gone FROM wherry.deleted_queue LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF gone IS NULL THEN
    RETURN true;
  END IF;
  FOREACH of_queue IN ARRAY ARRAY[
    'message', 'lease', 'deduplication', 'fence', 'group_bucket', 'group_left', 'lane'
  ] LOOP
    EXECUTE format(
      'DELETE FROM wherry.%I WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM wherry.%1$I WHERE queue = $1 LIMIT $2))',
      of_queue
    ) USING gone, max_rows;
    GET DIAGNOSTICS removed = ROW_COUNT;
    is_done := is_done AND removed < max_rows;
  END LOOP;
  IF is_done THEN
    DELETE FROM wherry.deleted_queue WHERE number = gone;
  END IF;
  RETURN is_done AND NOT EXISTS (SELECT FROM wherry.deleted_queue);
END
$$;
