-- Looking at messages without taking them. Each call sees one moment.

CREATE TYPE wherry.seen AS (
  messages wherry.envelopes,
  -- JSON arrays by message: 'ready', 'scheduled' or 'leased', and the lease: [consumer, number,
  -- place, until, cause] or null.
  states text,
  leases text,
  queue_name text
);

-- A page of one state, in the order in which the messages come up: ready ones by turn, scheduled ones
-- by their time and sequence, leased ones by sequence; after the given turn, or time and sequence.
CREATE FUNCTION wherry.browse(
  queue_number int, wanted text, after_time bigint, after_turn bigint, max_messages int
) RETURNS wherry.seen LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  line wherry.frontier := wherry.read_frontier(queue_number);
  keys wherry.keys;
BEGIN
  IF line.queue IS NULL THEN
    RETURN null;
  END IF;
  IF wanted = 'scheduled' THEN
    SELECT array_agg(lane), array_agg(sequence) INTO keys FROM (
      SELECT lane, sequence FROM wherry.message
      WHERE queue + 0 = queue_number AND place = 'scheduled'
        AND (available_at, sequence) > (after_time, after_turn)
      ORDER BY available_at, sequence LIMIT max_messages
    ) AS page;
  ELSE
    SELECT array_agg(lane ORDER BY turn), array_agg(sequence ORDER BY turn) INTO keys FROM (
      SELECT found.lane, found.sequence, turn
      FROM (SELECT DISTINCT lane FROM wherry.lane WHERE lane.queue = queue_number) AS listed
      CROSS JOIN LATERAL (
        SELECT
          message.lane, message.sequence,
          CASE wanted WHEN 'leased' THEN message.sequence
            ELSE wherry.turn(message.lane, message.sequence) END AS turn
        FROM wherry.message
        WHERE message.queue = queue_number AND message.lane = listed.lane
          AND message.sequence > CASE wanted WHEN 'leased' THEN after_turn
            ELSE greatest(0, after_turn - wherry.turn(listed.lane, 0)) END
          AND wherry.state_of(message, line) = wanted
        ORDER BY message.sequence LIMIT max_messages
      ) AS found
      WHERE turn > after_turn ORDER BY turn LIMIT max_messages
    ) AS page;
  END IF;
  RETURN wherry.look_at(line, keys, wanted);
END
$$;

-- Messages of a queue, all in the same state.
CREATE FUNCTION wherry.look_at(line wherry.frontier, keys wherry.keys, state text)
RETURNS wherry.seen LANGUAGE plpgsql STABLE SET enable_hashjoin = on AS $$
DECLARE
  answer wherry.seen;
BEGIN
  answer.messages := wherry.pack(
    array_fill(line.queue, ARRAY[coalesce(cardinality(keys.sequences), 0)]),
    keys.lanes, keys.sequences
  );
  answer.queue_name := name FROM wherry.topology WHERE number = line.queue;
  answer.states := json_agg(state) FROM unnest(keys.sequences);
  IF state = 'leased' THEN
    SELECT json_agg(
      json_build_array(lease.consumer, lease.number, lease.place, lease.until, lease.cause)
      ORDER BY at
    ) INTO answer.leases
    FROM unnest(keys.sequences) WITH ORDINALITY AS key(sequence, at)
    JOIN (
      SELECT consumer, number, until, cause, place, sequence
      FROM wherry.lease, unnest(sequences) WITH ORDINALITY AS listed(sequence, place)
      WHERE queue = line.queue
    ) AS lease ON lease.sequence = key.sequence;
  END IF;
  RETURN answer;
END
$$;

-- One message, by its queue and sequence where they follow from its id, else by the id.
CREATE FUNCTION wherry.get_message(queue_number int, message_sequence bigint, message_id text)
RETURNS wherry.seen LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  message wherry.message;
  line wherry.frontier;
BEGIN
  SELECT stored.* INTO message
  FROM wherry.locate(queue_number, ARRAY[message_sequence], '{}') AS located
  JOIN wherry.message AS stored ON stored.queue = queue_number AND stored.lane = located.lane
    AND stored.sequence = located.sequence;
  IF NOT FOUND THEN
    SELECT * INTO message FROM wherry.message AS stored
    WHERE id = message_id AND EXISTS (SELECT FROM wherry.queue WHERE number = stored.queue)
    LIMIT 1;
  END IF;
  line := wherry.read_frontier(message.queue);
  IF line.queue IS NULL THEN
    RETURN null;
  END IF;
  RETURN wherry.look_at(
    line, (ARRAY[message.lane], ARRAY[message.sequence])::wherry.keys, wherry.state_of(message, line)
  );
END
$$;
