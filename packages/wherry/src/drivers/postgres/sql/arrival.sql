-- What arrives in a queue one by one: where publish_each, a move and an eviction bring it. Each is
-- stored by store_message.sql.

-- A queue as a call is told of it: its number and name, and the numbers to enforce.
CREATE TYPE wherry.target AS (
  number int,
  name text,
  -- Null: without limit.
  size_limit bigint,
  byte_limit bigint,
  drops_oldest boolean,
  -- The number of the queue to which it drops; null: what it drops is gone.
  evict_to int,
  message_ttl bigint,
  deduplication_window bigint,
  slots int
);

-- What calls are told of queues, as JSON.
CREATE FUNCTION wherry.target(targets jsonb, queue_number int) RETURNS wherry.target
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_populate_record(null::wherry.target, targets -> queue_number::text)
$$;

-- A message's id: its own, or the one that follows from when and where it was stored.
CREATE FUNCTION wherry.id_of(message wherry.message) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(message.id, wherry.message_id(message.queue, message.stored_at, message.sequence))
$$;

-- Adds a death to a message's record, as core/deaths.ts does: equal (queue, reason) are one entry,
-- counted, which comes last; of more than 32 the oldest goes.
CREATE FUNCTION wherry.with_death(deaths json, death json, moment bigint) RETURNS json
LANGUAGE sql IMMUTABLE AS $$
  WITH
    entries AS (
      SELECT entry, at, entry ->> 'queue' = death ->> 'queue'
        AND entry ->> 'reason' = death ->> 'reason' AS is_same
      FROM json_array_elements(coalesce(deaths, '[]')) WITH ORDINALITY AS given(entry, at)
    ),
    kept AS (
      SELECT entry, at FROM entries WHERE NOT is_same
      UNION ALL
      SELECT
        (left(rtrim(death::text), -1) || format(
          ',"time":%s,"count":%s}', moment,
          1 + coalesce((SELECT (entry ->> 'count')::int FROM entries WHERE is_same), 0)
        ))::json,
        9223372036854775807
    ),
    latest AS (SELECT entry, at FROM kept ORDER BY at DESC LIMIT 32)
  SELECT json_agg(entry ORDER BY at) FROM latest
$$;

-- leased or ready -> ready in another queue (G7): a new life, with its headers, group and deaths.
-- `is_copy`: it gets an id of its own.
CREATE FUNCTION wherry.transfer(
  old wherry.message, target wherry.target, is_copy boolean, new_deaths json, moment bigint
) RETURNS wherry.message LANGUAGE plpgsql AS $$
DECLARE
  new wherry.message;
  old_id text := wherry.id_of(old);
BEGIN
  new.queue := target.number;
  -- When it was sent first; the id follows from that no more.
  new.stored_at := old.stored_at;
  new.available_at := moment;
  new.expires_at := moment + target.message_ttl;
  new.bytes := old.bytes;
  new.encoding := old.encoding;
  new.body := old.body;
  new.properties := old.properties;
  new.group_id := old.group_id;
  new.deduplication_id := old.deduplication_id;
  new.deaths := new_deaths;
  new.id := CASE WHEN NOT is_copy THEN old_id END;
  new.publish_id := CASE WHEN is_copy THEN coalesce(old.publish_id, old_id) ELSE old.publish_id END;
  RETURN wherry.store_message(new, target, wherry.priority_of(old.lane), moment, false);
END
$$;
