-- Leases: what was taken together is one row, or one for every 1024 messages.

-- Which messages a call works on, of one queue.
CREATE TYPE wherry.keys AS (lanes int[], sequences bigint[]);

-- Leases messages, which must be marked as leased if they have a place. Returns the numbers of the
-- leases in their order. For who holds the taking lock.
CREATE FUNCTION wherry.lease_out(
  queue_number int, held wherry.keys, until bigint, consumer text, cause text, is_grouped boolean
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  numbers bigint[] := '{}';
  sequences bigint[];
  lanes int[];
  is_one_lane boolean;
BEGIN
  FOR start IN 1 .. cardinality(held.sequences) BY 1024 LOOP
    numbers := numbers || nextval('wherry.lease_number');
    sequences := held.sequences[start : start + 1023];
    lanes := held.lanes[start : start + 1023];
    is_one_lane := lanes = array_fill(lanes[1], ARRAY[cardinality(lanes)]);
    INSERT INTO wherry.lease (
      queue, number, part, until, consumer, cause, grouped, remaining, sequences, lanes, lane
    ) VALUES (
      queue_number, numbers[cardinality(numbers)], 0, lease_out.until, lease_out.consumer,
      lease_out.cause, is_grouped, cardinality(sequences), sequences,
      CASE WHEN NOT is_one_lane THEN lanes END, CASE WHEN is_one_lane THEN lanes[1] END
    );
  END LOOP;
  RETURN numbers;
END
$$;

-- Receipts as all calls give them, in order of queue and lease, so that rows of `lease` are locked in
-- one order. A message is named by its place in the lease, from 1 on, and by its sequence; or, where
-- that does not follow from its id, by 0 and the id.
CREATE TYPE wherry.receipts AS (places int[], sequences bigint[], ids text[]);

-- What receipts prove to be held: their indexes, and the messages.
CREATE TYPE wherry.proof AS (indexes int[], lanes int[], sequences bigint[]);

-- Of some of the receipts, those that a row of `lease` proves (G4), so far as the row can tell: a
-- message may be gone, or have another id than the receipt.
CREATE FUNCTION wherry.proven(
  part wherry.lease, receipts wherry.receipts, first_index int, last_index int
) RETURNS wherry.proof LANGUAGE plpgsql AS $$
DECLARE
  -- As variables they are taken apart once.
  held bigint[] := part.sequences;
  held_lanes int[] := part.lanes;
  places int[] := receipts.places;
  claimed bigint[] := receipts.sequences;
  proof wherry.proof;
BEGIN
  SELECT
    array_agg(index), array_agg(coalesce(held_lanes[places[index]], part.lane)),
    array_agg(held[places[index]])
  INTO proof
  FROM generate_series(first_index, last_index) AS index
  WHERE held[places[index]] = claimed[index] OR (claimed[index] = 0 AND held[places[index]] <> 0);
  RETURN proof;
END
$$;

-- Locks a part of a lease that its caller has not seen yet; null: he has seen everything that does
-- not end before `moment`.
--
-- Whoever waits for a part may find that what he looks for was split off meanwhile, to where his
-- statement does not look. Messages only go from a part that is locked to one that is new. So the
-- end is where a new statement sees no part but those that he has locked.
CREATE FUNCTION wherry.lock_next_part(
  queue_number int, lease_number bigint, moment bigint, seen int[]
) RETURNS wherry.lease LANGUAGE plpgsql AS $$
DECLARE
  locked wherry.lease;
BEGIN
  LOOP
    SELECT * INTO locked FROM wherry.lease
    WHERE queue = queue_number AND number = lease_number AND until + 0 > moment
      AND part <> ALL (seen)
    ORDER BY part LIMIT 1 FOR UPDATE;
    IF FOUND THEN
      RETURN locked;
    END IF;
    IF NOT EXISTS (
      SELECT FROM wherry.lease
      WHERE queue = queue_number AND number = lease_number AND until + 0 > moment
        AND part <> ALL (seen)
    ) THEN
      RETURN null;
    END IF;
  END LOOP;
END
$$;

-- Some messages of a lease's row are gone.
CREATE FUNCTION wherry.count_gone(part wherry.lease, gone int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF gone >= part.remaining THEN
    DELETE FROM wherry.lease WHERE queue = part.queue AND number = part.number
      AND lease.part = count_gone.part.part;
  ELSIF gone > 0 THEN
    UPDATE wherry.lease SET remaining = remaining - gone
    WHERE queue = part.queue AND number = part.number AND lease.part = count_gone.part.part;
  END IF;
END
$$;

-- Some messages are not leased by this row any more, but still there.
CREATE FUNCTION wherry.withdraw(part wherry.lease, places int[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  held bigint[] := part.sequences;
BEGIN
  IF places = '{}' THEN
    RETURN;
  END IF;
  FOR i IN 1 .. cardinality(places) LOOP
    held[places[i]] := 0;
  END LOOP;
  UPDATE wherry.lease SET sequences = held
  WHERE queue = part.queue AND number = part.number AND lease.part = withdraw.part.part;
  PERFORM wherry.count_gone(part, cardinality(places));
END
$$;

-- Locks taking for those queues in which one of these leases has members of groups. Returns them.
CREATE FUNCTION wherry.lock_groups(queue_numbers int[], lease_numbers bigint[]) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
  grouped int[];
BEGIN
  -- Each by itself: a join may begin with all leases there ever were, as far as vacuum has left them.
  SELECT array_agg(DISTINCT lease.queue) INTO grouped
  FROM unnest(queue_numbers, lease_numbers) AS given(queue, number)
  CROSS JOIN LATERAL (
    SELECT lease.queue, lease.grouped FROM wherry.lease
    WHERE lease.queue = given.queue AND lease.number = given.number
    OFFSET 0
  ) AS lease
  WHERE lease.grouped;
  PERFORM wherry.lock_taking(grouped);
  RETURN grouped;
END
$$;

-- The indexes up to a last one that are not among these, of which each is there once.
CREATE FUNCTION wherry.others(indexes int[], last_index int) RETURNS int[]
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN cardinality(indexes) < last_index THEN
    ARRAY(SELECT generate_series(1, last_index) EXCEPT SELECT unnest(indexes) ORDER BY 1)
  ELSE '{}' END
$$;
