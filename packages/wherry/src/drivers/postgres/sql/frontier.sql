-- The plain messages behind a queue's frontier, in the order in which they come up (G5). For who
-- holds the taking lock.

-- The lanes through which plain messages of a queue are written, and how far each has been taken.
CREATE FUNCTION wherry.listed_lanes(line wherry.frontier)
RETURNS TABLE (lane int, "position" bigint) LANGUAGE sql STABLE AS $$
  SELECT listed.lane, coalesce(taken.position, 0)
  FROM (
    SELECT DISTINCT lane.lane FROM wherry.lane
    WHERE lane.queue = line.queue AND lane.lane & 65535 <> wherry.no_strand()
  ) AS listed
  LEFT JOIN unnest(line.lanes, line.positions) AS taken(lane, position) USING (lane)
$$;

CREATE TYPE wherry.page AS (
  lanes int[],
  sequences bigint[],
  -- Null: none is.
  overdue boolean[],
  -- The lanes that it has some of, and how far.
  passed_lanes int[],
  passed_positions bigint[],
  -- There is nothing behind it now.
  is_last boolean
);

-- The next plain messages, at most `max_rows`; fewer than that are not all there are, but for the
-- last page.
CREATE FUNCTION wherry.next_plain(line wherry.frontier, max_rows int, moment bigint)
RETURNS wherry.page LANGUAGE plpgsql STABLE AS $$
DECLARE
  lanes int[];
  positions bigint[];
BEGIN
  SELECT array_agg(lane), array_agg(position) INTO lanes, positions
  FROM wherry.listed_lanes(line);
  IF cardinality(lanes) > 1 THEN
    RETURN wherry.next_of_lanes(line.queue, lanes, positions, max_rows, moment);
  END IF;
  RETURN wherry.next_of_lane(line.queue, lanes[1], positions[1], max_rows, moment);
END
$$;

-- The usual case: there is one lane.
CREATE FUNCTION wherry.next_of_lane(
  queue_number int, lane_number int, after_sequence bigint, max_rows int, moment bigint
) RETURNS wherry.page LANGUAGE plpgsql STABLE AS $$
DECLARE
  page wherry.page;
BEGIN
  SELECT
    array_agg(lane), array_agg(sequence),
    CASE WHEN bool_or(is_overdue) THEN array_agg(is_overdue) END,
    ARRAY[lane_number], ARRAY[max(sequence)], count(*) < max_rows
  INTO page
  FROM (
    SELECT lane, sequence, coalesce(expires_at <= moment, false) AS is_overdue
    FROM wherry.message
    WHERE queue = queue_number AND lane = lane_number AND sequence > after_sequence
    ORDER BY sequence LIMIT max_rows
  ) AS found;
  RETURN page;
END
$$;

-- The lanes are merged. Each is read only as far as it is likely to contribute, and the page ends
-- where the first of them might go on.
CREATE FUNCTION wherry.next_of_lanes(
  queue_number int, lanes int[], positions bigint[], max_rows int, moment bigint
) RETURNS wherry.page LANGUAGE plpgsql STABLE AS $$
DECLARE
  page wherry.page;
  lane_rows int := least(max_rows, 2 * max_rows / cardinality(lanes) + 16);
BEGIN
  WITH
    found AS MATERIALIZED (
      SELECT message.*
      FROM unnest(lanes, positions) AS listed(lane, position)
      CROSS JOIN LATERAL (
        SELECT
          message.lane, message.sequence, wherry.turn(message.lane, message.sequence) AS turn,
          coalesce(message.expires_at <= moment, false) AS is_overdue
        FROM wherry.message
        WHERE message.queue = queue_number AND message.lane = listed.lane
          AND message.sequence > listed.position
        ORDER BY message.sequence LIMIT lane_rows
      ) AS message
    ),
    safe AS (
      SELECT min(last_turn) AS last_turn FROM (
        SELECT max(turn) AS last_turn FROM found GROUP BY lane HAVING count(*) = lane_rows
      ) AS cut
    ),
    merged AS MATERIALIZED (
      SELECT * FROM found
      WHERE turn <= coalesce((SELECT last_turn FROM safe), turn)
      ORDER BY turn LIMIT max_rows
    ),
    passed AS (SELECT lane, max(sequence) AS position FROM merged GROUP BY lane)
  SELECT
    array_agg(lane), array_agg(sequence),
    CASE WHEN bool_or(is_overdue) THEN array_agg(is_overdue) END,
    (SELECT array_agg(lane ORDER BY lane) FROM passed),
    (SELECT array_agg(position ORDER BY lane) FROM passed),
    (SELECT last_turn IS NULL FROM safe) AND count(*) < max_rows
  INTO page FROM merged;
  RETURN page;
END
$$;

-- The oldest message that is ready, in whatever way.
CREATE FUNCTION wherry.oldest_ready(line wherry.frontier) RETURNS wherry.message
LANGUAGE plpgsql STABLE AS $$
DECLARE
  oldest wherry.message;
BEGIN
  SELECT ready.* INTO oldest FROM (
    (SELECT message.* FROM wherry.listed_lanes(line) AS listed
     CROSS JOIN LATERAL (
       SELECT message.* FROM wherry.message
       WHERE message.queue = line.queue AND message.lane = listed.lane
         AND message.sequence > listed.position
       ORDER BY message.sequence LIMIT 1
     ) AS message)
    UNION ALL
    (SELECT message.* FROM wherry.message
     WHERE message.queue + 0 = line.queue
       AND strpos('ready suspect overdue arrived waiting throttled', place) > 0
     ORDER BY message.sequence LIMIT 1)
  ) AS ready ORDER BY sequence LIMIT 1;
  RETURN oldest;
END
$$;

-- Moves the frontier over a page.
CREATE FUNCTION wherry.advance(line wherry.frontier, page wherry.page) RETURNS wherry.frontier
LANGUAGE plpgsql AS $$
DECLARE
  at int;
BEGIN
  FOR i IN 1 .. coalesce(cardinality(page.passed_lanes), 0) LOOP
    at := coalesce(
      array_position(line.lanes, page.passed_lanes[i]), cardinality(line.lanes) + 1
    );
    line.lanes[at] := page.passed_lanes[i];
    line.positions[at] := page.passed_positions[i];
  END LOOP;
  RETURN line;
END
$$;

-- Moves the frontier over messages that come up one after the other.
CREATE FUNCTION wherry.pass(line wherry.frontier, lanes int[], sequences bigint[])
RETURNS wherry.frontier LANGUAGE plpgsql AS $$
DECLARE
  page wherry.page;
BEGIN
  SELECT array_agg(lane), array_agg(position) INTO page.passed_lanes, page.passed_positions
  FROM (
    SELECT lane, max(sequence) AS position FROM unnest(lanes, sequences) AS passed(lane, sequence)
    GROUP BY lane
  ) AS last;
  RETURN wherry.advance(line, page);
END
$$;

-- What lies between two frontiers of a queue, the second further on.
CREATE FUNCTION wherry.stretch_between(old wherry.frontier, line wherry.frontier)
RETURNS wherry.stretch LANGUAGE sql IMMUTABLE AS $$
  SELECT (line.queue, array_agg(lane), array_agg(coalesce(after, 0)), array_agg(up_to))
  FROM unnest(line.lanes, line.positions, old.positions) AS part(lane, up_to, after)
  WHERE up_to IS DISTINCT FROM after
$$;

-- Whether a plain message is ready.
CREATE FUNCTION wherry.is_behind(line wherry.frontier, message_lane int, message_sequence bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT message_sequence > coalesce(line.positions[array_position(line.lanes, message_lane)], 0)
$$;

-- A message's state.
CREATE FUNCTION wherry.state_of(message wherry.message, line wherry.frontier) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN message.place IS NULL THEN
      CASE WHEN wherry.is_behind(line, message.lane, message.sequence) THEN 'ready' ELSE 'leased' END
    WHEN message.place IN ('scheduled', 'leased') THEN message.place
    WHEN message.place = 'leased suspect' THEN 'leased'
    ELSE 'ready'
  END
$$;
