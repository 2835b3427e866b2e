-- Remembers deduplication ids (G12), in their order, so that two calls with the same ids do not wait
-- for each other in a circle. Null windows are left out; an id is there once per queue.
-- Returns, by index, the ids of the messages that were sent before and are remembered still.
CREATE FUNCTION wherry.remember(
  moment bigint, queue_numbers int[], queue_indexes int[], deduplication_ids text[],
  windows bigint[], new_sequences bigint[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  known jsonb;
BEGIN
  INSERT INTO wherry.deduplication (queue, deduplication_id, until, message_id)
  SELECT number, deduplication_id, moment + length, wherry.message_id(number, moment, sequence)
  FROM unnest(queue_indexes, deduplication_ids, windows, new_sequences)
    AS given(queue_index, deduplication_id, length, sequence)
  CROSS JOIN LATERAL (SELECT queue_numbers[coalesce(queue_index, 1)] AS number) AS derived
  WHERE length IS NOT NULL ORDER BY number, deduplication_id
  ON CONFLICT (queue, deduplication_id) DO UPDATE
    SET until = excluded.until, message_id = excluded.message_id
    WHERE deduplication.until <= moment;
  -- A statement of its own: it sees what others committed while the one before waited for them.
  SELECT jsonb_object_agg(at, found.message_id) INTO known
  FROM unnest(queue_indexes, deduplication_ids, windows, new_sequences)
    WITH ORDINALITY AS given(queue_index, deduplication_id, length, sequence, at)
  JOIN wherry.deduplication AS found ON found.deduplication_id = given.deduplication_id
    AND found.queue = queue_numbers[coalesce(queue_index, 1)]
  WHERE length IS NOT NULL
    AND found.message_id <> wherry.message_id(found.queue, moment, given.sequence);
  RETURN coalesce(known, '{}');
END
$$;
