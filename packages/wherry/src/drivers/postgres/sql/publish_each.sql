-- Stores messages one by one, in all their targets or, when one refuses, in none; for everything that
-- publish does not do.
--
-- `items`: JSON of what driver.ts calls PublishItems (publish.ts writes it), `targets`: JSON of type
-- `target` by number, of all queues that may get something.
-- Locks: existence; room of targets with a bound, and of where they drop; taking of targets that
-- drop; ids given by the caller; rows of `deduplication`.
-- Returns JSON: by item what driver.ts calls a PublishOutcome.
CREATE FUNCTION wherry.publish_each(
  clock bigint, items jsonb, targets jsonb, bodies bytea, is_atomic boolean, in_transaction boolean
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  locked wherry.locked;
  moment bigint;
  item jsonb;
  outcomes jsonb := '[]';
BEGIN
  IF in_transaction THEN
    PERFORM wherry.see_present_queues(
      array_agg(key::int), array_agg(size_limit) FILTER (WHERE size_limit IS NOT NULL),
      array_agg(byte_limit) FILTER (WHERE byte_limit IS NOT NULL)
    )
    FROM jsonb_each(targets)
    CROSS JOIN LATERAL (
      SELECT (value ->> 'size_limit')::bigint AS size_limit,
        (value ->> 'byte_limit')::bigint AS byte_limit
    ) AS limits;
  END IF;
  locked := wherry.lock_targets(targets, '{}');
  PERFORM wherry.lock_ids(items);
  moment := wherry.now(clock);
  PERFORM wherry.admit_to(locked.taking, moment);
  BEGIN
    FOR item IN SELECT value FROM jsonb_array_elements(items) LOOP
      BEGIN
        outcomes := outcomes
          || wherry.publish_item(
            item, targets, locked.missing, bodies, moment, in_transaction
          );
      EXCEPTION WHEN SQLSTATE 'WH001' THEN
        -- Refused by a target when others had it already: nothing changes.
        IF is_atomic THEN
          RAISE;
        END IF;
        outcomes := outcomes || SQLERRM::jsonb;
      END;
    END LOOP;
  EXCEPTION WHEN SQLSTATE 'WH001' THEN
    SELECT jsonb_agg(SQLERRM::jsonb) INTO outcomes FROM jsonb_array_elements(items);
  END;
  RETURN outcomes;
END
$$;

-- Two who send the same id, or the same deduplication id with keepLast, at the same time: the second
-- sees what the first has sent.
CREATE FUNCTION wherry.lock_ids(items jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(wherry.lock_key(6, hash & 67108863, 0))
  FROM (
    SELECT DISTINCT hashtext(id) AS hash
    FROM jsonb_array_elements(items) AS item
    CROSS JOIN LATERAL (
      SELECT item ->> 'id' AS id
      UNION ALL
      SELECT item ->> 'deduplicationId' WHERE (item -> 'keepLast')::boolean
    ) AS given
    WHERE id IS NOT NULL ORDER BY 1
  ) AS hashes;
END
$$;

-- Raises a refusal as JSON, with SQLSTATE WH001.
CREATE FUNCTION wherry.refuse(outcome jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE '%', outcome USING ERRCODE = 'WH001';
END
$$;

-- The message as an item gives it, for one target; all but where it lies.
CREATE FUNCTION wherry.new_message(item jsonb, target wherry.target, bodies bytea, moment bigint)
RETURNS wherry.message LANGUAGE plpgsql AS $$
DECLARE
  new wherry.message;
BEGIN
  new.queue := target.number;
  new.stored_at := moment;
  new.bytes := (item -> 'bytes')::int;
  new.encoding := (item -> 'encoding')::int;
  new.body := substring(bodies FROM (item -> 'start')::int FOR (item -> 'length')::int);
  new.properties := item ->> 'properties';
  new.group_id := item ->> 'groupId';
  new.deduplication_id := item ->> 'deduplicationId';
  new.available_at := greatest(
    moment, (item ->> 'deliverAt')::bigint, moment + (item ->> 'delay')::bigint
  );
  new.expires_at := new.available_at + least((item ->> 'ttl')::bigint, target.message_ttl);
  new.deaths := (item ->> 'deaths')::json;
  new.replaceable := nullif(
    (item -> 'keepLast')::boolean AND new.deduplication_id IS NOT NULL, false
  );
  RETURN new;
END
$$;

-- The id of what was sent to a queue in a message's stead, if anything was (G12): null, nothing was.
-- From then on others who send the same wait for this transaction.
CREATE FUNCTION wherry.sent_before(item jsonb, target wherry.target, moment bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  known record;
BEGIN
  IF wherry.window_of(item, target) > 0 THEN
    INSERT INTO wherry.deduplication AS present (queue, deduplication_id, until, message_id)
    VALUES (target.number, item ->> 'deduplicationId', 0, '')
    ON CONFLICT (queue, deduplication_id) DO UPDATE SET until = present.until
    RETURNING until, message_id INTO known;
    IF known.until > moment THEN
      RETURN known.message_id;
    END IF;
  END IF;
  IF item ->> 'fence' IS NOT NULL THEN
    INSERT INTO wherry.fence AS present (queue, key, value)
    VALUES (target.number, item -> 'fence' ->> 'key', (item -> 'fence' ->> 'value')::float8)
    ON CONFLICT (queue, key) DO UPDATE SET value = excluded.value
      WHERE present.value < excluded.value;
    IF NOT FOUND THEN
      RETURN '';
    END IF;
  END IF;
  RETURN null;
END
$$;

-- For how long a message's deduplication id stands for it; null or 0: it does not.
CREATE FUNCTION wherry.window_of(item jsonb, target wherry.target) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN item ->> 'deduplicationId' IS NULL OR (item -> 'keepLast')::boolean THEN null
    ELSE coalesce((item ->> 'deduplicationWindow')::bigint, target.deduplication_window)
  END
$$;

-- Makes room and stores one copy: in a place of its own, or in that of one that waits and that it
-- replaces. Raises a refusal.
CREATE FUNCTION wherry.store_copy(
  item jsonb, targets jsonb, new wherry.message, moment bigint, in_transaction boolean,
  INOUT evicted jsonb, OUT stored wherry.message, OUT has_replaced boolean
) LANGUAGE plpgsql AS $$
DECLARE
  target wherry.target := wherry.target(targets, new.queue);
  old wherry.message;
  is_scheduled int;
  room record;
BEGIN
  IF new.replaceable THEN
    DELETE FROM wherry.message
    WHERE queue + 0 = new.queue AND deduplication_id = new.deduplication_id AND replaceable
    RETURNING * INTO old;
  END IF;
  has_replaced := old.queue IS NOT NULL;
  IF has_replaced THEN
    is_scheduled := (old.place = 'scheduled')::int;
    PERFORM wherry.count_change(
      new.queue, (is_scheduled - 1, -is_scheduled, 0, -old.bytes, 0), in_transaction
    );
    target.size_limit := null;
  END IF;
  IF NOT has_replaced OR new.bytes > old.bytes THEN
    room := wherry.make_room(targets, target, new.bytes, moment, evicted);
    IF room.full_limit IS NOT NULL THEN
      PERFORM wherry.refuse(jsonb_build_object(
        'status', 'full', 'queue', target.name, 'limit', room.full_limit
      ));
    END IF;
    evicted := room.evicted;
  END IF;
  IF has_replaced THEN
    stored := wherry.store_in_place_of(old, new, moment, in_transaction);
  ELSE
    stored := wherry.store_message(
      new, target, (item -> 'priority')::int, moment, in_transaction
    );
  END IF;
END
$$;

-- new -> ready or scheduled, where another one lay: what that was called and when it was sent stays.
CREATE FUNCTION wherry.store_in_place_of(
  old wherry.message, new wherry.message, moment bigint, in_transaction boolean
) RETURNS wherry.message LANGUAGE plpgsql AS $$
DECLARE
  is_scheduled int := (new.available_at > moment)::int;
BEGIN
  new.sequence := old.sequence;
  new.lane := old.lane;
  new.stored_at := old.stored_at;
  new.id := old.id;
  new.publish_id := old.publish_id;
  new.place := CASE WHEN is_scheduled = 1 THEN 'scheduled' ELSE 'ready' END;
  INSERT INTO wherry.message VALUES (new.*);
  PERFORM wherry.count_change(
    new.queue, (1 - is_scheduled, is_scheduled, 0, new.bytes, 0), in_transaction
  );
  RETURN new;
END
$$;

-- One item: the outcome as JSON, or a refusal raised.
CREATE FUNCTION wherry.publish_item(
  item jsonb, targets jsonb, missing int[], bodies bytea, moment bigint, in_transaction boolean
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  target_numbers int[] :=
    ARRAY(SELECT value::int FROM jsonb_array_elements_text(item -> 'targets'));
  target wherry.target;
  new wherry.message;
  copy record;
  known text;
  publish_id text;
  has_replaced boolean := false;
  ids text[] := '{}';
  evicted jsonb := '[]';
BEGIN
  FOR i IN 1 .. cardinality(target_numbers) LOOP
    IF target_numbers[i] = ANY (missing) THEN
      PERFORM wherry.refuse(jsonb_build_object(
        'status', 'missing', 'queue', (wherry.target(targets, target_numbers[i])).name
      ));
    END IF;
  END LOOP;
  IF wherry.is_stored(item) THEN
    RETURN jsonb_build_object('status', 'duplicate', 'id', item -> 'id');
  END IF;
  FOR i IN 1 .. cardinality(target_numbers) LOOP
    target := wherry.target(targets, target_numbers[i]);
    known := wherry.sent_before(item, target, moment);
    IF known IS NULL THEN
      new := wherry.new_message(item, target, bodies, moment);
      new.publish_id := publish_id;
      new.id := CASE WHEN publish_id IS NULL THEN item ->> 'id' END;
      copy := wherry.store_copy(item, targets, new, moment, in_transaction, evicted);
      evicted := copy.evicted;
      known := wherry.id_of(copy.stored);
      has_replaced := has_replaced OR copy.has_replaced;
      IF NOT copy.has_replaced THEN
        publish_id := coalesce(publish_id, known);
      END IF;
      IF wherry.window_of(item, target) > 0 THEN
        UPDATE wherry.deduplication
        SET until = moment + wherry.window_of(item, target), message_id = known
        WHERE queue = target.number AND deduplication_id = item ->> 'deduplicationId';
      END IF;
      IF in_transaction THEN
        PERFORM wherry.announce_queue(target.number, 'ready');
      END IF;
    END IF;
    ids := ids || known;
  END LOOP;
  RETURN jsonb_build_object(
    'status', CASE
      WHEN publish_id IS NOT NULL THEN 'stored'
      WHEN has_replaced THEN 'replaced'
      ELSE 'duplicate'
    END,
    'id', ids[1], 'ids', to_jsonb(ids), 'evicted', evicted
  );
END
$$;

-- Whether a message with the item's own id is stored.
CREATE FUNCTION wherry.is_stored(item jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN item ->> 'id' IS NOT NULL AND (
    EXISTS (
      SELECT FROM wherry.message
      WHERE id = item ->> 'id' AND EXISTS (SELECT FROM wherry.queue WHERE number = message.queue)
    )
    OR EXISTS (
      SELECT FROM wherry.locate(
        (item ->> 'home')::int, ARRAY[(item ->> 'sequence')::bigint], '{}'
      ) AS located
      JOIN wherry.message ON message.queue = (item ->> 'home')::int
        AND message.lane = located.lane AND message.sequence = located.sequence
      WHERE wherry.id_of(message) = item ->> 'id'
        AND EXISTS (SELECT FROM wherry.queue WHERE number = message.queue)
    )
  );
END
$$;
