-- How messages are handed out: column by column, each an array as PostgreSQL writes it, all bodies in
-- one. One row is read many times faster than one per message. record.ts unpacks it.
CREATE TYPE wherry.envelopes AS (
  sequences text,
  stored_at text,
  sizes text,
  -- Each only once, if it is the same for all.
  queues text,
  lanes text,
  encodings text,
  -- Of the bodies, in bytes of UTF-8.
  lengths text,
  -- The bodies, if all are text: half as long on the way as bytes are.
  texts text,
  bodies bytea,
  -- A JSON array: what only few messages have, null for the others; null when no message has any.
  extras text
);

-- Plain messages that lie together: those of each lane after one sequence, up to another.
CREATE TYPE wherry.stretch AS (queue int, lanes int[], after bigint[], up_to bigint[]);

-- Messages by their keys, in this order, or those of a stretch, in the order of their turns; what is
-- not there (any more) is left out.
CREATE FUNCTION wherry.pack(
  queue_numbers int[], lane_numbers int[], message_sequences bigint[],
  stretch wherry.stretch DEFAULT null
) RETURNS wherry.envelopes LANGUAGE plpgsql STABLE AS $$
DECLARE
  -- Not every character has a place in every database.
  is_unicode boolean := current_setting('server_encoding') = 'UTF8';
  envelopes wherry.envelopes;
BEGIN
  SELECT
    array_agg(sequence), array_agg(stored_at), array_agg(bytes),
    CASE WHEN min(queue) = max(queue) THEN ARRAY[min(queue)] ELSE array_agg(queue) END,
    CASE WHEN min(lane) = max(lane) THEN ARRAY[min(lane)] ELSE array_agg(lane) END,
    CASE WHEN min(encoding) = max(encoding) THEN ARRAY[min(encoding)] ELSE array_agg(encoding) END,
    array_agg(length(body)),
    CASE WHEN is_unicode AND max(encoding) < 2 THEN
      convert_from(string_agg(body, ''), 'UTF8')
    END,
    CASE WHEN NOT is_unicode OR max(encoding) >= 2 THEN string_agg(body, '') END,
    CASE WHEN count(extra) > 0 THEN
      '[' || string_agg(coalesce(extra::text, 'null'), ',') || ']'
    END
  INTO envelopes
  FROM (
    SELECT
      message.*,
      CASE WHEN num_nonnulls(
        properties, id, publish_id, group_id, deduplication_id, available_at, expires_at,
        retry_count, delivery_count, deaths, parked
      ) > 0 THEN json_build_array(
        properties, id, publish_id, group_id, deduplication_id, available_at, expires_at,
        retry_count, delivery_count, deaths, parked
      ) END AS extra
    FROM (
      SELECT message.*, at
      FROM unnest(queue_numbers, lane_numbers, message_sequences)
        WITH ORDINALITY AS key(queue, lane, sequence, at)
      JOIN wherry.message ON message.queue = key.queue AND message.lane = key.lane
        AND message.sequence = key.sequence
      UNION ALL
      SELECT message.*, wherry.turn(message.lane, message.sequence)
      FROM unnest(stretch.lanes, stretch.after, stretch.up_to) AS part(lane, after, up_to)
      CROSS JOIN LATERAL (
        SELECT * FROM wherry.message
        WHERE message.queue = stretch.queue AND message.lane = part.lane
          AND message.sequence > part.after AND message.sequence <= part.up_to
          AND message.place IS NULL
        -- Else the planner may begin with all messages instead: one who knows the table from when
        -- it had few lanes expects many between two sequences.
        OFFSET 0
      ) AS message
    ) AS message
    ORDER BY at
  ) AS message;
  RETURN envelopes;
END
$$;

-- The id of a message that was stored first here: core/message-id.ts says how it is made.
CREATE FUNCTION wherry.message_id(queue_number int, stored_at bigint, sequence bigint) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT lpad(to_hex(stored_at), 12, '0')
    || to_hex(1879080960::bigint + (((queue_number # salt) >> 14) << 16)
      + ((queue_number # salt) & 16383))
    || lpad(to_hex(sequence), 12, '0')
  FROM wherry.store
$$;
