-- A queue's numbers, exact (G10), without counting; null when there is no such queue.
CREATE FUNCTION wherry.counts(
  queue_number int, OUT ready bigint, OUT scheduled bigint, OUT leased bigint, OUT bytes bigint,
  OUT oldest_timestamp bigint, OUT arrived bigint
) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  line wherry.frontier := wherry.read_frontier(queue_number);
  total wherry.change;
BEGIN
  IF line.queue IS NULL THEN
    RETURN;
  END IF;
  total := wherry.totals(queue_number);
  ready := total.ready;
  scheduled := total.scheduled;
  leased := total.leased;
  bytes := total.bytes;
  arrived := total.arrived;
  oldest_timestamp := (wherry.oldest_ready(line)).stored_at;
END
$$;

-- Which of these queues have something that can be taken, as far as can be seen cheaply: yes is
-- perhaps.
CREATE FUNCTION wherry.queues_ready(clock bigint, numbers int[]) RETURNS int[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  moment bigint := wherry.now(clock);
  line wherry.frontier;
  found int[] := '{}';
BEGIN
  FOR i IN 1 .. cardinality(numbers) LOOP
    line := wherry.read_frontier(numbers[i]);
    CONTINUE WHEN line.queue IS NULL;
    IF (wherry.next_plain(line, 1, moment)).sequences IS NOT NULL
      OR EXISTS (
        SELECT FROM wherry.message
        WHERE queue + 0 = numbers[i] AND place IN ('ready', 'suspect')
      )
      OR EXISTS (
        SELECT FROM wherry.message WHERE queue + 0 = numbers[i] AND place = 'arrived'
      )
      OR EXISTS (
        SELECT FROM wherry.message
        WHERE queue + 0 = numbers[i] AND place = 'scheduled' AND available_at <= moment
      ) THEN
      found := found || numbers[i];
    END IF;
  END LOOP;
  RETURN found;
END
$$;
