-- ready and scheduled -> gone; leased ones stay. What has a place goes at once, of the plain messages
-- at most so many. `purged`: how many; null when there is no such queue.
--
-- Locks: existence; taking.
CREATE FUNCTION wherry.purge(
  queue_number int, max_plain int, OUT purged bigint, OUT is_done boolean
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  line wherry.frontier;
  plain_count bigint;
  plain_bytes bigint;
  placed record;
BEGIN
  PERFORM wherry.lock_existence(ARRAY[queue_number]);
  PERFORM wherry.lock_taking(ARRAY[queue_number]);
  line := wherry.read_frontier(queue_number);
  IF line.queue IS NULL THEN
    RETURN;
  END IF;
  WITH
    doomed AS MATERIALIZED (
      SELECT message.lane, message.sequence
      FROM wherry.listed_lanes(line) AS listed
      CROSS JOIN LATERAL (
        SELECT message.lane, message.sequence FROM wherry.message
        WHERE message.queue = queue_number AND message.lane = listed.lane
          AND message.sequence > listed.position
        ORDER BY message.sequence LIMIT max_plain
      ) AS message
      LIMIT max_plain
    ),
    gone AS (
      DELETE FROM wherry.message USING doomed
      WHERE message.queue = queue_number AND message.lane = doomed.lane
        AND message.sequence = doomed.sequence
      RETURNING message.bytes
    )
  SELECT count(*), coalesce(sum(bytes), 0) INTO plain_count, plain_bytes FROM gone;
  WITH
    doomed AS MATERIALIZED (
      SELECT lane, sequence FROM wherry.message
      WHERE queue + 0 = queue_number
        AND strpos('ready suspect overdue arrived waiting throttled', place) > 0
      UNION ALL
      SELECT lane, sequence FROM wherry.message
      WHERE queue + 0 = queue_number AND place = 'scheduled'
    ),
    gone AS (
      DELETE FROM wherry.message USING doomed
      WHERE message.queue = queue_number AND message.lane = doomed.lane
        AND message.sequence = doomed.sequence
      RETURNING message.bytes, place
    )
  SELECT
    count(*) FILTER (WHERE place <> 'scheduled') AS ready,
    count(*) FILTER (WHERE place = 'scheduled') AS scheduled, coalesce(sum(bytes), 0) AS bytes
  INTO placed FROM gone;
  line.ready := line.ready - plain_count - placed.ready;
  line.scheduled := line.scheduled - placed.scheduled;
  line.bytes := line.bytes - plain_bytes - placed.bytes;
  PERFORM wherry.write_frontier(line);
  purged := plain_count + placed.ready + placed.scheduled;
  is_done := plain_count < max_plain;
END
$$;
