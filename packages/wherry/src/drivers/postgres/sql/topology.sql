-- Queues, exchanges, bindings, schedules, users: small documents, changed by compare-and-set.

-- As many numbers as a message's id has room for; never given out twice.
CREATE SEQUENCE wherry.topology_number AS int MAXVALUE 67108863;

CREATE TABLE wherry.topology (
  kind text NOT NULL,
  name text NOT NULL,
  number int NOT NULL UNIQUE,
  version int NOT NULL,
  -- The state's revision when the entry was changed last.
  revision bigint NOT NULL,
  -- JSON, kept as it was given.
  value text NOT NULL,
  PRIMARY KEY (kind, name)
);

CREATE INDEX topology_revision ON wherry.topology (revision);

-- What was removed, for those who were not told; forgotten after a while.
CREATE TABLE wherry.topology_removal (
  revision bigint PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  removed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row. Who makes a change locks it first, so revisions are committed in their order: who has
-- seen one has seen all before it.
CREATE TABLE wherry.topology_state (
  revision bigint NOT NULL,
  -- That of the last removal that was forgotten.
  forgotten bigint NOT NULL
);

INSERT INTO wherry.topology_state VALUES (0, 0);

-- Locks the topology. Returns the revision that the next change has.
CREATE FUNCTION wherry.topology_begin() RETURNS bigint LANGUAGE sql AS $$
  SELECT revision + 1 FROM wherry.topology_state FOR UPDATE
$$;

CREATE FUNCTION wherry.topology_end() RETURNS void LANGUAGE sql AS $$
  UPDATE wherry.topology_state SET revision = revision + 1;
  SELECT wherry.announce('topology')
$$;

-- Creates (expected_version 0) or changes an entry; no row when its version is another.
CREATE FUNCTION wherry.topology_put(
  entry_kind text, entry_name text, entry_value text, expected_version int
) RETURNS SETOF wherry.topology LANGUAGE plpgsql AS $$
DECLARE
  next_revision bigint := wherry.topology_begin();
  stored wherry.topology;
BEGIN
  IF expected_version = 0 THEN
    INSERT INTO wherry.topology (kind, name, number, version, revision, value)
    SELECT entry_kind, entry_name, nextval('wherry.topology_number'), 1, next_revision, entry_value
    WHERE NOT EXISTS (SELECT FROM wherry.topology WHERE kind = entry_kind AND name = entry_name)
    RETURNING * INTO stored;
    IF FOUND AND entry_kind = 'queue' THEN
      PERFORM wherry.create_queue(stored.number);
    END IF;
  ELSE
    UPDATE wherry.topology
    SET version = version + 1, revision = next_revision, value = entry_value
    WHERE kind = entry_kind AND name = entry_name AND version = expected_version
    RETURNING * INTO stored;
  END IF;
  IF stored.number IS NOT NULL THEN
    PERFORM wherry.topology_end();
    RETURN NEXT stored;
  END IF;
END
$$;

-- The revision of the removal; null when the entry's version is another.
CREATE FUNCTION wherry.topology_remove(entry_kind text, entry_name text, expected_version int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  next_revision bigint := wherry.topology_begin();
BEGIN
  DELETE FROM wherry.topology
  WHERE kind = entry_kind AND name = entry_name AND version = expected_version;
  IF NOT FOUND THEN
    RETURN null;
  END IF;
  INSERT INTO wherry.topology_removal (revision, kind, name)
  VALUES (next_revision, entry_kind, entry_name);
  PERFORM wherry.topology_end();
  RETURN next_revision;
END
$$;

-- Removes the entry with this number, if there is one.
CREATE FUNCTION wherry.topology_remove_number(entry_number int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- Else its version may change in between.
  PERFORM wherry.topology_begin();
  PERFORM wherry.topology_remove(kind, name, version)
  FROM wherry.topology WHERE number = entry_number;
END
$$;

-- Everything, and the revision that it is of: one row at least.
CREATE FUNCTION wherry.topology_load()
RETURNS TABLE (revision bigint, kind text, name text, number int, version int, value text)
LANGUAGE sql STABLE AS $$
  SELECT state.revision, entry.kind, entry.name, entry.number, entry.version, entry.value
  FROM wherry.topology_state AS state LEFT JOIN wherry.topology AS entry ON true
$$;

-- What changed after a revision, in order; without a number: it was removed. A row without a kind
-- when removals of that time are forgotten: everything must be read anew.
CREATE FUNCTION wherry.topology_changes(after_revision bigint)
RETURNS TABLE (revision bigint, kind text, name text, number int, version int, value text)
LANGUAGE sql STABLE AS $$
  SELECT forgotten, null, null, null::int, null::int, null FROM wherry.topology_state
  WHERE forgotten > after_revision
  UNION ALL
  SELECT revision, kind, name, number, version, value FROM wherry.topology
  WHERE revision > after_revision
  UNION ALL
  SELECT revision, kind, name, null, null, null FROM wherry.topology_removal
  WHERE revision > after_revision
  ORDER BY 1
$$;

-- Forgets removals that everybody has heard of by now; who has not reads everything anew.
CREATE FUNCTION wherry.topology_forget(older_than interval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  last bigint;
BEGIN
  SELECT max(revision) INTO last FROM wherry.topology_removal
  WHERE removed_at < clock_timestamp() - older_than;
  IF last IS NOT NULL THEN
    UPDATE wherry.topology_state SET forgotten = last;
    DELETE FROM wherry.topology_removal WHERE revision <= last;
  END IF;
END
$$;
