-- ready -> leased: highest priority first, then by sequence (G5); nothing past its TTL (G9), of a
-- group only what may be held (G11), a suspect only alone (G6), within the queue's limits.
--
-- Locks: existence; taking, which makes claims of one queue follow each other. Nothing is locked in
-- `message` but what can be replaced (keepLast), and that is skipped when somebody does so.
CREATE TYPE wherry.taken AS (
  is_missing boolean,
  -- So much came up at once that nothing can be taken yet: ask again.
  is_unready boolean,
  -- When a rate limit lets the next one go that it held back; null: none did.
  retry_in bigint,
  -- Milliseconds since 1970.
  until bigint,
  -- Of the leases, as PostgreSQL writes an array: each of 1024 messages, but for the last.
  lease_numbers text,
  messages wherry.envelopes
);

CREATE FUNCTION wherry.take(
  clock bigint,
  queue_number int,
  max_messages int,
  lease_duration bigint,
  consumer text,
  per_group int,
  -- Null: without limit.
  max_in_flight bigint,
  slots int,
  rate_max bigint,
  rate_per bigint,
  group_rate_max bigint,
  group_rate_per bigint
) RETURNS wherry.taken LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  moment bigint;
  old wherry.frontier;
  line wherry.frontier;
  choice wherry.choice;
  taken_count int;
  answer wherry.taken;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(wherry.lock_key(1, queue_number, 0));
  PERFORM pg_advisory_xact_lock(wherry.lock_key(3, queue_number, 0));
  old := wherry.read_frontier(queue_number);
  IF old.queue IS NULL THEN
    answer.is_missing := true;
    RETURN answer;
  END IF;
  moment := wherry.now(clock);
  line := wherry.heed(old, slots, group_rate_max, group_rate_per, moment);
  line := wherry.wake(line, moment);
  IF wherry.is_asleep(queue_number, moment) THEN
    PERFORM wherry.write_frontier(line);
    answer.is_unready := true;
    RETURN answer;
  END IF;
  IF max_in_flight IS NOT NULL THEN
    max_messages := least(max_messages, max_in_flight - (wherry.totals(queue_number)).leased);
  END IF;
  IF rate_max IS NOT NULL OR EXISTS (
    SELECT FROM wherry.message WHERE queue + 0 = queue_number AND place IN ('ready', 'suspect')
  ) THEN
    choice := wherry.choose(line, max_messages, per_group, rate_max, rate_per, moment);
  ELSE
    choice := wherry.choose_plain(line, max_messages, moment);
  END IF;
  line := choice.line;
  answer.retry_in := choice.retry_in;
  taken_count := cardinality((choice.held).sequences);
  IF taken_count > 0 THEN
    answer.until := moment + lease_duration;
    answer.lease_numbers := wherry.lease_out(
      queue_number, choice.held, answer.until, consumer, null, choice.is_grouped
    )::text;
    answer.messages := CASE WHEN choice.is_plain
      THEN wherry.pack(null, null, null, wherry.stretch_between(old, line))
      ELSE wherry.pack(
        array_fill(queue_number, ARRAY[taken_count]), (choice.held).lanes, (choice.held).sequences
      )
    END;
    line.ready := line.ready - taken_count;
    line.leased := line.leased + taken_count;
  END IF;
  IF line IS DISTINCT FROM old THEN
    PERFORM wherry.write_frontier(line);
  END IF;
  RETURN answer;
END
$$;
