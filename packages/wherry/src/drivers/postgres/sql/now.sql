-- The time by which everything is decided: this server's (G14), or what a test gives for it.
CREATE FUNCTION wherry.now(clock bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;

-- As core/driver.ts: what never becomes available by itself.
CREATE FUNCTION wherry.never() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT 253402300800000
$$;
