-- leased here -> ready in each target, or nothing changes: at no moment in both or neither (G7).
--
-- `items`: JSON of { queue, lease, place, id, slots, targets: [number], death }, `targets`:
-- JSON of type `target` by number, of all queues that may get something.
-- Locks: existence; room of targets with a bound, and of where they drop; taking of targets that drop
-- and of sources; rows of `lease`.
-- Returns JSON: by item what driver.ts calls a MoveOutcome, and which sources had others held back.
CREATE FUNCTION wherry.move(clock bigint, items jsonb, targets jsonb) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  locked wherry.locked;
  moment bigint;
  item jsonb;
  outcomes jsonb := '[]';
BEGIN
  locked := wherry.lock_targets(targets, ARRAY(
    SELECT DISTINCT (value -> 'queue')::int FROM jsonb_array_elements(items)
  ));
  moment := wherry.now(clock);
  PERFORM wherry.admit_to(locked.taking, moment);
  FOR item IN SELECT value FROM jsonb_array_elements(items) LOOP
    BEGIN
      outcomes := outcomes || wherry.move_one(item, targets, locked.missing, moment);
    EXCEPTION WHEN SQLSTATE 'WH001' THEN
      -- Refused by a target when others had it already: nothing changes.
      outcomes := outcomes || SQLERRM::jsonb;
    END;
  END LOOP;
  RETURN outcomes;
END
$$;

CREATE FUNCTION wherry.move_one(item jsonb, targets jsonb, missing int[], moment bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  line wherry.frontier;
  place int := (item -> 'place')::int;
  part wherry.lease;
  seen int[] := '{}';
  proof wherry.proof;
  old wherry.message;
  new wherry.message;
  target wherry.target;
  new_deaths json;
  room record;
  evicted jsonb := '[]';
  ids jsonb := '[]';
  target_number int;
  scheduled_count bigint;
BEGIN
  WHILE (item -> 'queue')::int <> ALL (missing) LOOP
    part := wherry.lock_next_part(
      (item -> 'queue')::int, (item -> 'lease')::bigint, moment, seen
    );
    EXIT WHEN part.queue IS NULL OR part.sequences[place] <> 0;
    seen := seen || part.part;
  END LOOP;
  IF part.queue IS NOT NULL THEN
    proof := wherry.proven(part, (ARRAY[place], ARRAY[0], null)::wherry.receipts, 1, 1);
    SELECT * INTO old FROM wherry.message
    WHERE queue = part.queue AND lane = proof.lanes[1] AND sequence = proof.sequences[1]
      AND wherry.id_of(message) = item ->> 'id'
    FOR UPDATE SKIP LOCKED;
  END IF;
  IF old.queue IS NULL THEN
    RETURN '{"status": "lost"}';
  END IF;
  FOR target_number IN SELECT value::int FROM jsonb_array_elements_text(item -> 'targets') LOOP
    IF target_number = ANY (missing) THEN
      RETURN jsonb_build_object(
        'status', 'missing', 'queue', (wherry.target(targets, target_number)).name
      );
    END IF;
  END LOOP;
  -- First, so that its place is free when it comes back to the same queue.
  DELETE FROM wherry.message
  WHERE queue = old.queue AND lane = old.lane AND sequence = old.sequence;
  PERFORM wherry.count_gone(part, 1);
  scheduled_count := CASE WHEN old.outside
    THEN wherry.open_group(old.queue, old.group_id, (item ->> 'slots')::int, moment) ELSE 0 END;
  line := wherry.read_frontier(old.queue);
  line.ready := line.ready - scheduled_count;
  line.scheduled := line.scheduled + scheduled_count;
  line.leased := line.leased - 1;
  line.bytes := line.bytes - old.bytes;
  PERFORM wherry.write_frontier(line);
  new_deaths := CASE WHEN item -> 'death' IS NULL THEN old.deaths
    ELSE wherry.with_death(old.deaths, (item ->> 'death')::json, moment) END;
  FOR target_number IN SELECT value::int FROM jsonb_array_elements_text(item -> 'targets') LOOP
    target := wherry.target(targets, target_number);
    room := wherry.make_room(targets, target, old.bytes, moment, evicted);
    IF room.full_limit IS NOT NULL THEN
      PERFORM wherry.refuse(jsonb_build_object('status', 'full', 'queue', target.name));
    END IF;
    evicted := room.evicted;
    new := wherry.transfer(old, target, ids <> '[]', new_deaths, moment);
    ids := ids || to_jsonb(wherry.id_of(new));
  END LOOP;
  RETURN jsonb_build_object(
    'status', 'moved', 'ids', ids, 'evicted', nullif(evicted, '[]'),
    'freed', old.group_id IS NOT NULL OR old.suspect IS TRUE
  );
END
$$;
