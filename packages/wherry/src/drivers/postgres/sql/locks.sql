-- Locks. All are advisory and end with the transaction. Whoever needs several takes them in this
-- order, and those of one kind by the queue's number; then nobody waits in a circle:
--
--   1. existence  Shared by everyone who works on a queue, exclusive to delete it.
--   2. room       Exclusive, for whoever adds to a queue with a bound.
--   3. taking     Exclusive, for whoever takes, gives back, promotes or removes what is not leased.
--   4. rows of `deduplication`, in their order, then rows of `lease`, in their order
--
-- Strands and slots (strands.sql, registers.sql) are only tried, never waited for. Adding to a
-- queue without bounds and settling need no exclusive lock, so a caller's transaction, which
-- may last, keeps nobody else from taking.

-- Two stores in one database have different keys.
CREATE FUNCTION wherry.lock_key(kind int, queue_number int, detail int) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT (hashtext('wherry.')::bigint << 45)
    | (kind::bigint << 42) | (queue_number::bigint << 16) | detail
$$;

-- Locks queues against being deleted. Returns those that do not exist.
CREATE FUNCTION wherry.lock_existence(queue_numbers int[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
  missing int[];
BEGIN
  PERFORM pg_advisory_xact_lock_shared(wherry.lock_key(1, number, 0))
  FROM (SELECT DISTINCT unnest(queue_numbers) AS number ORDER BY 1) AS ordered;
  SELECT array_agg(number) INTO missing FROM unnest(queue_numbers) AS asked(number)
  WHERE NOT EXISTS (SELECT FROM wherry.queue WHERE queue.number = asked.number);
  RETURN coalesce(missing, '{}');
END
$$;

CREATE FUNCTION wherry.lock_room(queue_numbers int[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(wherry.lock_key(2, number, 0))
  FROM (SELECT DISTINCT unnest(queue_numbers) AS number ORDER BY 1) AS ordered;
END
$$;

CREATE FUNCTION wherry.lock_taking(queue_numbers int[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(wherry.lock_key(3, number, 0))
  FROM (SELECT DISTINCT unnest(queue_numbers) AS number ORDER BY 1) AS ordered;
END
$$;

-- For a caller's transaction that may not see what others commit: a row's version tells whether a
-- queue was deleted since it began. What a bounded queue holds cannot be known then.
CREATE FUNCTION wherry.see_present_queues(
  queue_numbers int[], size_limits bigint[], byte_limits bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
    RETURN;
  END IF;
  IF size_limits IS NOT NULL OR byte_limits IS NOT NULL THEN
    RAISE 'a queue with maxSize or maxBytes can be sent to in READ COMMITTED only'
      USING ERRCODE = 'feature_not_supported';
  END IF;
  PERFORM FROM wherry.queue WHERE number = ANY (queue_numbers) FOR KEY SHARE;
END
$$;

-- What a call has locked that brings messages to some queues.
CREATE TYPE wherry.locked AS (
  -- Queues that do not exist.
  missing int[],
  -- Queues from which it may take something.
  taking int[]
);

-- The locks of a call that brings messages to these targets (JSON of type `target` by number), from
-- these sources or from nowhere.
CREATE FUNCTION wherry.lock_targets(targets jsonb, sources int[]) RETURNS wherry.locked
LANGUAGE plpgsql AS $$
DECLARE
  locked wherry.locked;
BEGIN
  locked.missing := wherry.lock_existence(
    sources || ARRAY(SELECT key::int FROM jsonb_object_keys(targets) AS key)
  );
  PERFORM wherry.lock_room(ARRAY(
    SELECT (value -> 'number')::int FROM jsonb_each(targets)
    WHERE value -> 'size_limit' <> 'null' OR value -> 'byte_limit' <> 'null'
  ));
  locked.taking := ARRAY(
    SELECT unnest(sources)
    UNION
    SELECT (value -> 'number')::int FROM jsonb_each(targets) WHERE (value -> 'drops_oldest')::boolean
    EXCEPT
    SELECT unnest(locked.missing)
  );
  PERFORM wherry.lock_taking(locked.taking);
  RETURN locked;
END
$$;
