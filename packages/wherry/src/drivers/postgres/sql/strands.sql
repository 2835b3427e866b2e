-- Strands and lanes. A lane's number is (255 - priority) * 65536 + strand: lanes in ascending order
-- go from the highest priority to the lowest.

CREATE FUNCTION wherry.lane_of(priority int, strand int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT ((255 - priority) << 16) | strand
$$;

CREATE FUNCTION wherry.priority_of(lane int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT 255 - (lane >> 16)
$$;

-- Highest priority first, then by sequence: lanes and sequences in one number.
CREATE FUNCTION wherry.turn(lane int, sequence bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT ((lane >> 16)::bigint << 48) | sequence
$$;

-- Greater than all of them.
CREATE FUNCTION wherry.last_turn() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT 256::bigint << 48
$$;

-- The strand of those that are no strand's: they have a place, and the frontier does not count.
CREATE FUNCTION wherry.no_strand() RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT 65535
$$;

-- The lowest strand of a queue that no other transaction writes through, for this one until it ends.
-- Whoever writes plain messages draws their sequences after that, so sequences that come later in
-- the strand are greater than all that are committed there. A transaction finds its own strand again.
CREATE FUNCTION wherry.own_strand(queue_number int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  FOR strand IN 0 .. 32767 LOOP
    IF pg_try_advisory_xact_lock(wherry.lock_key(4, queue_number, strand)) THEN
      RETURN strand;
    END IF;
  END LOOP;
  RAISE 'queue % is written to by too many transactions', queue_number;
END
$$;

-- Lists a lane, if it is not listed yet. (Two who do so at once list it twice.)
CREATE FUNCTION wherry.list_lane(queue_number int, lane_number int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM wherry.lane WHERE lane.queue = queue_number AND lane.lane = lane_number
  ) THEN
    INSERT INTO wherry.lane (queue, lane) VALUES (queue_number, lane_number);
  END IF;
END
$$;
