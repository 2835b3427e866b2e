-- Registers: rows that change with every call. Updated in place, such a row becomes a chain of dead
-- versions when an old snapshot keeps vacuum from removing them, and each look-up walks the chain.
-- So after 64 updates a register begins anew, as a row with a higher version number, and is read from
-- the highest down: a look-up never walks more than 64, whatever else happens in the database.
--
-- Only one transaction at a time changes a register; a lock sees to that.

-- A queue's frontier, for who holds its taking lock; null when there is no such queue (any more).
CREATE FUNCTION wherry.read_frontier(queue_number int) RETURNS wherry.frontier
LANGUAGE plpgsql STABLE AS $$
DECLARE
  newest wherry.frontier;
BEGIN
  SELECT * INTO newest FROM wherry.frontier
  WHERE frontier.queue = queue_number ORDER BY version DESC LIMIT 1;
  RETURN newest;
END
$$;

-- Writes a frontier back that was read in the same transaction.
CREATE FUNCTION wherry.write_frontier(changed wherry.frontier) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF changed.updates < 64 THEN
    UPDATE wherry.frontier SET
      updates = changed.updates + 1,
      lanes = changed.lanes,
      positions = changed.positions,
      ready = changed.ready,
      scheduled = changed.scheduled,
      leased = changed.leased,
      bytes = changed.bytes,
      arrived = changed.arrived,
      slots = changed.slots,
      group_rate_max = changed.group_rate_max,
      group_rate_per = changed.group_rate_per,
      bucket_level = changed.bucket_level,
      bucket_at = changed.bucket_at,
      bucket_max = changed.bucket_max,
      bucket_per = changed.bucket_per
    WHERE queue = changed.queue AND version = changed.version;
  ELSE
    DELETE FROM wherry.frontier WHERE queue = changed.queue AND version = changed.version;
    changed.version := changed.version + 1;
    changed.updates := 0;
    INSERT INTO wherry.frontier VALUES (changed.*);
  END IF;
END
$$;

-- How much a call changes a queue's numbers.
CREATE TYPE wherry.change AS (
  ready bigint, scheduled bigint, leased bigint, bytes bigint, arrived bigint
);

-- Adds to the tally of a slot that this transaction has locked.
CREATE FUNCTION wherry.add_to_tally(queue_number int, slot_number int, added wherry.change)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  old wherry.tally;
BEGIN
  SELECT * INTO old FROM wherry.tally
  WHERE tally.queue = queue_number AND tally.slot = slot_number ORDER BY version DESC LIMIT 1;
  IF old.updates < 64 THEN
    UPDATE wherry.tally SET
      updates = old.updates + 1,
      ready = old.ready + added.ready,
      scheduled = old.scheduled + added.scheduled,
      leased = old.leased + added.leased,
      bytes = old.bytes + added.bytes,
      arrived = old.arrived + added.arrived
    WHERE tally.queue = queue_number AND slot = slot_number AND version = old.version;
  ELSE
    DELETE FROM wherry.tally
    WHERE tally.queue = queue_number AND slot = slot_number AND version = old.version;
    INSERT INTO wherry.tally VALUES (
      queue_number, slot_number, coalesce(old.version, 0) + 1, 0,
      coalesce(old.ready, 0) + added.ready,
      coalesce(old.scheduled, 0) + added.scheduled,
      coalesce(old.leased, 0) + added.leased,
      coalesce(old.bytes, 0) + added.bytes,
      coalesce(old.arrived, 0) + added.arrived
    );
  END IF;
END
$$;

-- Adds to a queue's numbers, without waiting for anybody: to the first slot that is free. In a
-- caller's transaction, which may last and may have an old view of the registers, as a row of its
-- own, which the sweeper adds to the others.
CREATE FUNCTION wherry.count_change(
  queue_number int, added wherry.change, in_transaction boolean DEFAULT false
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF in_transaction THEN
    INSERT INTO wherry.tally VALUES (
      queue_number, -1, nextval('wherry.pending_tally'), 0,
      added.ready, added.scheduled, added.leased, added.bytes, added.arrived
    );
    RETURN;
  END IF;
  FOR slot IN 0 .. 32767 LOOP
    IF pg_try_advisory_xact_lock(wherry.lock_key(5, queue_number, slot)) THEN
      PERFORM wherry.add_to_tally(queue_number, slot, added);
      RETURN;
    END IF;
  END LOOP;
  RAISE 'queue % is worked on by too many transactions', queue_number;
END
$$;

-- A queue's numbers, as one snapshot sees them: exact at any moment (G10).
CREATE FUNCTION wherry.totals(queue_number int) RETURNS wherry.change LANGUAGE sql STABLE AS $$
  WITH RECURSIVE
    newest AS (
      (SELECT tally.* FROM wherry.tally
       WHERE tally.queue = queue_number AND slot >= 0 ORDER BY slot DESC, version DESC LIMIT 1)
      UNION ALL
      SELECT next.* FROM newest CROSS JOIN LATERAL (
        SELECT tally.* FROM wherry.tally
        WHERE tally.queue = queue_number AND slot >= 0 AND tally.slot < newest.slot
        ORDER BY slot DESC, version DESC LIMIT 1
      ) AS next
    ),
    counted AS (
      SELECT ready, scheduled, leased, bytes, arrived FROM newest
      UNION ALL
      SELECT ready, scheduled, leased, bytes, arrived FROM wherry.tally
      WHERE tally.queue = queue_number AND slot = -1
      UNION ALL
      (SELECT ready, scheduled, leased, bytes, arrived FROM wherry.frontier
       WHERE frontier.queue = queue_number ORDER BY version DESC LIMIT 1)
    )
  SELECT
    sum(ready)::bigint, sum(scheduled)::bigint, sum(leased)::bigint, sum(bytes)::bigint,
    sum(arrived)::bigint
  FROM counted
$$;
