-- What other processes are told. The channel is the schema's own.

CREATE FUNCTION wherry.announce(payload text) RETURNS void LANGUAGE sql AS $$
  SELECT pg_notify('wherry.news', payload)
$$;

-- `what`: 'ready' (something can be taken) or 'room' (something left).
CREATE FUNCTION wherry.announce_queue(queue_number int, what text) RETURNS void LANGUAGE sql AS $$
  SELECT wherry.announce(what || ' ' || queue_number)
$$;
