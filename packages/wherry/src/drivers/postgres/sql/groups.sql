-- Groups (G11). A member is *outside* (ready, leased, in back-off) or waits: as many are outside as
-- the group has slots. Publishers and callers' transactions do not decide that, for it takes the
-- taking lock: their messages are 'arrived', and what they settled is noted in `group_left`, until
-- the next taker, sweeper or settler makes up for it. Whoever looks sees no difference: what has
-- arrived is ready, like those that wait.
--
-- A crowd can arrive, or come due, between two takers. No call makes up for more than a number of
-- them, oldest first, so that it ends in time however many there are; a taker comes again until none
-- are left, for what it takes must come before all others.

-- How many messages one call admits, and how many it promotes: a fraction of a second.
CREATE FUNCTION wherry.wake_max() RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT 1000
$$;

-- Lets the first of those who wait come outside while there are slots. Returns how many of them are
-- scheduled, for a waiting one counts as ready.
CREATE FUNCTION wherry.open_group(queue_number int, of_group text, outside_max int, moment bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  outside_count bigint;
  scheduled_count bigint;
BEGIN
  SELECT count(*) INTO outside_count FROM wherry.message
  WHERE queue + 0 = queue_number AND group_id = of_group AND outside;
  IF outside_count >= outside_max THEN
    RETURN 0;
  END IF;
  WITH
    first_ones AS MATERIALIZED (
      SELECT lane, sequence FROM wherry.message
      WHERE queue + 0 = queue_number AND group_id = of_group AND place = 'waiting'
      ORDER BY group_id, sequence LIMIT outside_max - outside_count
    ),
    opened AS (
      UPDATE wherry.message SET
        outside = true,
        place = CASE
          WHEN available_at > moment THEN 'scheduled'
          WHEN suspect THEN 'suspect'
          ELSE 'ready'
        END
      FROM first_ones
      WHERE message.queue = queue_number AND message.lane = first_ones.lane
        AND message.sequence = first_ones.sequence
      RETURNING place
    )
  SELECT count(*) INTO scheduled_count FROM opened WHERE place = 'scheduled';
  RETURN scheduled_count;
END
$$;

-- The same for several groups, of which members ended.
CREATE FUNCTION wherry.open_groups(queue_number int, group_ids text[], slots int, moment bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  scheduled_count bigint := 0;
BEGIN
  FOR i IN 1 .. coalesce(cardinality(group_ids), 0) LOOP
    scheduled_count := scheduled_count
      + wherry.open_group(queue_number, group_ids[i], slots, moment);
  END LOOP;
  RETURN scheduled_count;
END
$$;

-- Makes up for what publishers and callers' transactions left undone, for who holds the taking lock:
-- opens groups that were left, finds the first of those that have arrived a place, as if it had been
-- done at once.
CREATE FUNCTION wherry.admit(line wherry.frontier, moment bigint) RETURNS wherry.frontier
LANGUAGE plpgsql AS $$
DECLARE
  left_one record;
  arrived_slots int;
  last_sequence bigint;
  scheduled_count bigint := 0;
BEGIN
  FOR left_one IN
    WITH gone AS (
      DELETE FROM wherry.group_left WHERE queue = line.queue RETURNING group_id, slots
    )
    SELECT group_id, max(slots) AS slots FROM gone GROUP BY group_id
  LOOP
    scheduled_count := scheduled_count
      + wherry.open_group(line.queue, left_one.group_id, left_one.slots, moment);
  END LOOP;
  SELECT max(sequence) INTO last_sequence FROM (
    SELECT sequence FROM wherry.message
    WHERE queue + 0 = line.queue AND place = 'arrived' ORDER BY sequence LIMIT wherry.wake_max()
  ) AS first_ones;
  LOOP
    -- Those in a row that know of the same number of slots are admitted together.
    SELECT slots INTO arrived_slots FROM wherry.message
    WHERE queue + 0 = line.queue AND place = 'arrived' AND sequence <= last_sequence
    ORDER BY sequence LIMIT 1;
    EXIT WHEN NOT FOUND;
    scheduled_count := scheduled_count + wherry.open_groups(
      line.queue, wherry.seat_arrived(line.queue, arrived_slots, last_sequence), arrived_slots,
      moment
    );
  END LOOP;
  line.ready := line.ready - scheduled_count;
  line.scheduled := line.scheduled + scheduled_count;
  RETURN line;
END
$$;

-- The same for several queues, before others of their groups end.
CREATE FUNCTION wherry.admit_to(queue_numbers int[], moment bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  old wherry.frontier;
  line wherry.frontier;
BEGIN
  FOR i IN 1 .. coalesce(cardinality(queue_numbers), 0) LOOP
    old := wherry.read_frontier(queue_numbers[i]);
    line := wherry.admit(old, moment);
    IF line IS DISTINCT FROM old THEN
      PERFORM wherry.write_frontier(line);
    END IF;
  END LOOP;
END
$$;

-- Whether members of these groups wait though there are free slots, as they do when the number of
-- slots has grown: until something happens in their group.
CREATE FUNCTION wherry.have_free_slots(queue_number int, group_ids text[], slots int)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM unnest(group_ids) AS of_group
    WHERE EXISTS (
      SELECT FROM wherry.message
      WHERE queue + 0 = queue_number AND group_id = of_group AND place = 'waiting'
    )
    AND have_free_slots.slots > (
      SELECT count(*) FROM wherry.message
      WHERE queue + 0 = queue_number AND group_id = of_group AND outside
    )
  )
$$;

-- An arrival is such an event. What it lets out may be scheduled, so it cannot be left undone: takes
-- the taking lock, late as it is. (If that closes a circle, one of those in it is repeated.)
CREATE FUNCTION wherry.open_for_arrivals(
  queue_number int, group_ids text[], slots int, moment bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF wherry.have_free_slots(queue_number, group_ids, slots) THEN
    PERFORM wherry.lock_taking(ARRAY[queue_number]);
    PERFORM wherry.admit_to(ARRAY[queue_number], moment);
  END IF;
END
$$;

-- Lets those that arrived before any that knows of another number of slots, up to a last one, wait in
-- their groups. Returns the groups.
CREATE FUNCTION wherry.seat_arrived(queue_number int, arrived_slots int, last_sequence bigint)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  first_other bigint;
  group_ids text[];
BEGIN
  SELECT min(sequence) INTO first_other FROM wherry.message
  WHERE queue + 0 = queue_number AND place = 'arrived' AND sequence <= last_sequence
    AND slots <> arrived_slots;
  WITH seated AS (
    UPDATE wherry.message SET place = 'waiting', slots = null
    WHERE queue + 0 = queue_number AND place = 'arrived' AND sequence <= last_sequence
      AND (first_other IS NULL OR sequence < first_other)
    RETURNING group_id
  )
  SELECT array_agg(DISTINCT group_id) INTO group_ids FROM seated;
  RETURN group_ids;
END
$$;

-- Whether there is more to admit or to promote, but for what may be locked by who replaces it.
CREATE FUNCTION wherry.is_asleep(queue_number int, moment bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM wherry.message WHERE queue + 0 = queue_number AND place = 'arrived'
  ) OR EXISTS (
    SELECT FROM wherry.message
    WHERE queue + 0 = queue_number AND place = 'scheduled' AND available_at <= moment
      AND replaceable IS NOT TRUE
  );
END
$$;

-- Brings a queue up to date, for who holds its taking lock: admits, and promotes what is due. Costs
-- little when there is nothing to do.
CREATE FUNCTION wherry.wake(line wherry.frontier, moment bigint) RETURNS wherry.frontier
LANGUAGE plpgsql AS $$
DECLARE
  due record;
  scheduled_count bigint := 0;
BEGIN
  line := wherry.admit(line, moment);
  FOR due IN
    SELECT lane, sequence, group_id, outside, suspect FROM wherry.message
    WHERE queue + 0 = line.queue AND place = 'scheduled' AND available_at <= moment
    ORDER BY available_at, sequence LIMIT wherry.wake_max()
    -- One that is being replaced is not waited for.
    FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE wherry.message
    SET place = CASE
      WHEN due.group_id IS NOT NULL AND due.outside IS NOT TRUE THEN 'waiting'
      WHEN due.suspect THEN 'suspect'
      ELSE 'ready'
    END
    WHERE queue = line.queue AND lane = due.lane AND sequence = due.sequence;
    scheduled_count := scheduled_count - 1;
    IF due.group_id IS NOT NULL AND due.outside IS NOT TRUE THEN
      scheduled_count := scheduled_count
        + wherry.open_group(line.queue, due.group_id, line.slots, moment);
    END IF;
  END LOOP;
  line.ready := line.ready - scheduled_count;
  line.scheduled := line.scheduled + scheduled_count;
  RETURN line;
END
$$;

-- Goes by these limits from now on: what others held back is looked at again.
CREATE FUNCTION wherry.heed(
  line wherry.frontier, slots int, group_rate_max bigint, group_rate_per bigint, moment bigint
) RETURNS wherry.frontier LANGUAGE plpgsql AS $$
BEGIN
  IF (line.group_rate_max, line.group_rate_per)
    IS DISTINCT FROM (heed.group_rate_max, heed.group_rate_per) THEN
    UPDATE wherry.message
    SET place = CASE WHEN suspect THEN 'suspect' ELSE 'ready' END, resumes_at = null
    WHERE queue + 0 = line.queue AND place = 'throttled';
  ELSIF line.group_rate_max IS NOT NULL THEN
    UPDATE wherry.message
    SET place = CASE WHEN suspect THEN 'suspect' ELSE 'ready' END, resumes_at = null
    WHERE queue + 0 = line.queue AND place = 'throttled' AND resumes_at <= moment;
  END IF;
  line.slots := heed.slots;
  line.group_rate_max := heed.group_rate_max;
  line.group_rate_per := heed.group_rate_per;
  RETURN line;
END
$$;
