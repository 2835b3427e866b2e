-- Its bounds do not count what is leased; null: a version that knew no such bounds calls.
ALTER TYPE wherry.target ADD ATTRIBUTE counts_waiting boolean;

-- The bytes of a queue's leased messages. It looks at each.
CREATE FUNCTION wherry.leased_bytes(queue_number int) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(message.bytes), 0)::bigint
  FROM wherry.lease
  CROSS JOIN LATERAL unnest(sequences, lanes) AS held(sequence, own_lane)
  CROSS JOIN LATERAL (
    SELECT bytes FROM wherry.message
    WHERE queue = queue_number AND message.lane = coalesce(held.own_lane, lease.lane)
      AND message.sequence = held.sequence
    OFFSET 0
  ) AS message
  WHERE lease.queue = queue_number AND held.sequence <> 0
$$;

-- The bound that a message of so many bytes would exceed, or null. For who holds the room lock.
CREATE OR REPLACE FUNCTION wherry.exceeded_limit(target wherry.target, size bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  total wherry.change;
BEGIN
  IF target.size_limit IS NULL AND target.byte_limit IS NULL THEN
    RETURN null;
  END IF;
  total := wherry.totals(target.number);
  IF target.counts_waiting THEN
    total.leased := 0;
    -- Only what does not fit anyway is worth the look at all that is leased.
    IF total.bytes + size > target.byte_limit THEN
      total.bytes := total.bytes - wherry.leased_bytes(target.number);
    END IF;
  END IF;
  RETURN CASE
    WHEN total.ready + total.scheduled + total.leased + 1 > target.size_limit THEN 'maxSize'
    WHEN total.bytes + size > target.byte_limit THEN 'maxBytes'
  END;
END
$$;
