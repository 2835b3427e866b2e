-- Bounds (G8). They are hard, for who adds to a queue with a bound holds its room lock until the
-- transaction ends. What others settle meanwhile counts until that is committed.

-- Whether queues have room for messages: see publish for the arguments. Locks the room.
CREATE FUNCTION wherry.has_room(
  queue_numbers int[], size_limits bigint[], byte_limits bigint[], queue_indexes int[], sizes int[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  part record;
  total wherry.change;
BEGIN
  PERFORM wherry.lock_room(ARRAY(
    SELECT number FROM unnest(queue_numbers, size_limits, byte_limits) AS bound(number, size, bytes)
    WHERE size IS NOT NULL OR bytes IS NOT NULL
  ));
  FOR part IN
    SELECT coalesce(queue_index, 1) AS queue_index, count(*), sum(size) AS bytes
    FROM unnest(queue_indexes, sizes) AS given(queue_index, size) GROUP BY 1
  LOOP
    CONTINUE WHEN size_limits[part.queue_index] IS NULL AND byte_limits[part.queue_index] IS NULL;
    total := wherry.totals(queue_numbers[part.queue_index]);
    IF total.ready + total.scheduled + total.leased + part.count > size_limits[part.queue_index]
      OR total.bytes + part.bytes > byte_limits[part.queue_index] THEN
      RETURN false;
    END IF;
  END LOOP;
  RETURN true;
END
$$;

-- Makes room for a message of so many bytes, by dropping the oldest where the queue does so: adds
-- what it dropped to `evicted`. `full`: the bound that leaves no room; then what was dropped is to be
-- rolled back. For who holds the room lock and, if the queue drops, the taking lock.
CREATE FUNCTION wherry.make_room(
  targets jsonb, target wherry.target, size bigint, moment bigint,
  INOUT evicted jsonb, OUT full_limit text
) LANGUAGE plpgsql AS $$
DECLARE
  dropped jsonb;
BEGIN
  IF size > target.byte_limit THEN
    full_limit := 'maxBytes';
    RETURN;
  END IF;
  LOOP
    full_limit := wherry.exceeded_limit(target, size);
    EXIT WHEN full_limit IS NULL OR NOT target.drops_oldest;
    dropped := wherry.evict(targets, target, moment);
    EXIT WHEN dropped IS NULL;
    evicted := evicted || dropped;
  END LOOP;
END
$$;

-- Drops one message, to where the queue drops. A queue to which others drop drops nothing for it.
-- Returns what core is told; null when nothing can be dropped.
CREATE FUNCTION wherry.evict(targets jsonb, target wherry.target, moment bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  evict_to wherry.target := wherry.target(targets, target.evict_to);
  line wherry.frontier := wherry.read_frontier(target.number);
  oldest wherry.message := wherry.oldest_ready(line);
BEGIN
  IF oldest.queue IS NULL THEN
    -- Else the scheduled one that is due first.
    SELECT * INTO oldest FROM wherry.message
    WHERE queue + 0 = target.number AND place = 'scheduled' ORDER BY available_at, sequence LIMIT 1;
  END IF;
  IF oldest.queue IS NULL THEN
    RETURN null;
  END IF;
  IF evict_to.number IS NOT NULL AND (
    NOT EXISTS (SELECT FROM wherry.queue WHERE number = evict_to.number)
    OR wherry.exceeded_limit(evict_to, oldest.bytes) IS NOT NULL
  ) THEN
    RETURN null;
  END IF;
  PERFORM wherry.remove_unleased(line, oldest, target.slots, moment);
  IF evict_to.number IS NOT NULL THEN
    PERFORM wherry.transfer(
      oldest, evict_to, false,
      wherry.with_death(
        oldest.deaths, json_build_object('queue', target.name, 'reason', 'overflow'), moment
      ),
      moment
    );
  END IF;
  RETURN jsonb_build_object(
    'id', wherry.id_of(oldest), 'queue', target.name, 'movedTo', evict_to.name
  );
END
$$;

-- ready or scheduled -> gone; its group goes on. For who holds the taking lock.
CREATE FUNCTION wherry.remove_unleased(
  line wherry.frontier, old wherry.message, slots int, moment bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  scheduled_count bigint := 0;
BEGIN
  DELETE FROM wherry.message
  WHERE queue = old.queue AND lane = old.lane AND sequence = old.sequence;
  IF old.outside THEN
    scheduled_count := wherry.open_group(old.queue, old.group_id, slots, moment);
  END IF;
  line.ready := line.ready - scheduled_count;
  line.scheduled := line.scheduled + scheduled_count;
  IF old.place = 'scheduled' THEN
    line.scheduled := line.scheduled - 1;
  ELSE
    line.ready := line.ready - 1;
  END IF;
  line.bytes := line.bytes - old.bytes;
  PERFORM wherry.write_frontier(line);
END
$$;
