-- What a store holds.
--
-- A message that waits for nothing is *plain*: its `place` is null. Nothing is written to it until
-- it is gone; whether it is ready or leased follows from where it lies:
--
--   lane      Messages of one priority, written through one strand. A *strand* belongs to one
--             transaction at a time, until that ends (strands.sql), so within a lane sequences
--             are committed in their order, whatever other transactions do.
--   frontier  How far each lane of a queue has been taken. Behind it a plain message is ready, up to
--             it leased. Nothing is ever committed in front of it, so nobody has to look there again,
--             and claims do not walk over what earlier ones left behind, dead rows included.
--   lease     What was taken together is one row.
--
-- Everything else (delayed, of a group, returned, past its time) has a `place` that says what it
-- is, and only then costs entries in more indexes. What gets one while it lies behind the frontier
-- moves to the lane of no strand, where the frontier does not count.
--
-- Who joins messages by keys takes the queue's number, too, from the keys, behind an OFFSET 0. Else the
-- planner, if the table's statistics are of a time when it was empty, may read the whole queue and
-- look for each message among the keys.
--
-- Functions that the driver calls say how their statements are planned: by index, row by row, with one
-- plan for all arguments, not compiled. What is best for a small table, or for one in statistics of
-- long ago, is ruinous when it has grown, and a session keeps its plans. Functions that they call
-- go by the same.
--
-- Times are milliseconds since 1970.

CREATE TABLE wherry.store (
  -- Tells the ids of this store's messages from those of others: core/message-id.ts.
  salt int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO wherry.store (salt) VALUES (floor(random() * 67108864));

-- One for all queues, of the 48 bits that a message's id has for it. No cache: the order would be
-- that of sessions.
CREATE SEQUENCE wherry.message_sequence MAXVALUE 281474976710655;

-- Of leases: a token is 1024 times this and the message's place in the lease, at most 2^53.
CREATE SEQUENCE wherry.lease_number MAXVALUE 8796093022207;

-- Of parts of leases, but for the first of each.
CREATE SEQUENCE wherry.lease_part AS int CYCLE;

-- Of counters of transactions that last (registers.sql).
CREATE SEQUENCE wherry.pending_tally;

-- Queues that exist.
CREATE TABLE wherry.queue (
  number int PRIMARY KEY
);

-- Queues that were deleted, but some of their messages are still to be removed.
CREATE TABLE wherry.deleted_queue (
  number int PRIMARY KEY
);

CREATE TABLE wherry.message (
  sequence bigint NOT NULL,
  stored_at bigint NOT NULL,
  queue int NOT NULL,
  lane int NOT NULL,
  -- What it counts towards the queue's bytes.
  bytes int NOT NULL,
  -- 0: JSON, 1: text, 2: bytes, 3: a content of AMQP; 4 and 5: JSON and text with a zero, for PostgreSQL no text.
  encoding smallint NOT NULL,
  body bytea NOT NULL,
  -- All of these are null for most messages.
  -- JSON, as it was given.
  properties text,
  -- Its id is not the one that follows from when and where it was stored: it came from elsewhere.
  id text,
  -- It is a copy: the id that all copies share.
  publish_id text,
  group_id text,
  deduplication_id text,
  -- Null: `stored_at`.
  available_at bigint,
  expires_at bigint,
  retry_count int,
  delivery_count int,
  deaths json,
  parked json,
  -- ready           It can be taken.
  -- suspect         The same, but alone: its last holder died.
  -- overdue         Ready, but past its time: out of the takers' way until it is swept.
  -- arrived         Ready; the next taker finds its place in its group.
  -- waiting         Ready; its group is busy.
  -- throttled       Ready; its group's rate limit holds it back until `resumes_at`.
  -- scheduled       Until `available_at`.
  -- leased          By a row of `lease`.
  -- leased suspect
  place text COLLATE "C",
  resumes_at bigint,
  -- Of one that has arrived: how many slots its group has, as its sender knows.
  slots int,
  -- Of a group: ready, leased or in back-off. While as many are as the group has slots, others wait.
  outside boolean,
  suspect boolean,
  -- The next message sent with keepLast and its deduplication_id takes its place, until it is leased.
  replaceable boolean
) WITH (
  -- Vacuum often, whatever the backlog, and never shrink the file: that needs an exclusive lock.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
  autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);

CREATE UNIQUE INDEX message_lane ON wherry.message (queue, lane, sequence);
-- Those that follow name the queue as `queue + 0`, and so do the queries that are for them: else the
-- planner, while the table is small, may take the index above, and keep to it when it has grown.
--
-- What can be taken, beside the plain ones, in order; and whether a suspect is leased.
CREATE INDEX message_ready ON wherry.message ((queue + 0), place, (lane >> 16), sequence)
  WHERE place IN ('ready', 'suspect', 'arrived', 'leased suspect');
-- What counts as ready, but the plain ones, by age. Said in a way that the planner does not see
-- through: else it may take this index for one of these places, and walk over all others.
CREATE INDEX message_age ON wherry.message ((queue + 0), sequence)
  WHERE strpos('ready suspect overdue arrived waiting throttled', place) > 0;
CREATE INDEX message_due ON wherry.message ((queue + 0), available_at, sequence)
  WHERE place = 'scheduled';
CREATE INDEX message_next_due ON wherry.message (available_at, queue) WHERE place = 'scheduled';
CREATE INDEX message_expiry ON wherry.message (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX message_waiting ON wherry.message ((queue + 0), group_id, sequence)
  WHERE place = 'waiting';
CREATE INDEX message_outside ON wherry.message ((queue + 0), group_id) WHERE outside;
CREATE INDEX message_throttled ON wherry.message ((queue + 0), resumes_at)
  WHERE place = 'throttled';
CREATE INDEX message_id ON wherry.message (id) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX message_replaceable ON wherry.message ((queue + 0), deduplication_id)
  WHERE replaceable;

-- Which lanes a queue has. A lane may be listed twice.
CREATE TABLE wherry.lane (
  queue int NOT NULL,
  lane int NOT NULL
);

CREATE INDEX lane_queue ON wherry.lane (queue, lane);

-- Of each queue, what only those who hold its taking lock change (locks.sql). A register: see
-- registers.sql. Its counters are part of the queue's, like a tally's.
CREATE TABLE wherry.frontier (
  queue int NOT NULL,
  version bigint NOT NULL,
  updates int NOT NULL,
  -- How far each lane has been taken.
  lanes int[] NOT NULL,
  positions bigint[] NOT NULL,
  ready bigint NOT NULL,
  scheduled bigint NOT NULL,
  leased bigint NOT NULL,
  bytes bigint NOT NULL,
  arrived bigint NOT NULL,
  -- The limits that the last taker went by; the sweeper, which is told none, goes by them too.
  slots int NOT NULL,
  group_rate_max bigint,
  group_rate_per bigint,
  -- The queue's token bucket; null: it is full (rates.sql).
  bucket_level bigint,
  bucket_at bigint,
  bucket_max bigint,
  bucket_per bigint,
  PRIMARY KEY (queue, version)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- How many messages a queue has: the sum of its tallies and its frontier's. A register.
CREATE TABLE wherry.tally (
  queue int NOT NULL,
  slot int NOT NULL,
  version bigint NOT NULL,
  updates int NOT NULL,
  ready bigint NOT NULL,
  scheduled bigint NOT NULL,
  leased bigint NOT NULL,
  bytes bigint NOT NULL,
  -- Messages that ever came: rates are made of it.
  arrived bigint NOT NULL,
  PRIMARY KEY (queue, slot, version)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- What was taken together. A message listed here that does not exist any more was settled.
CREATE TABLE wherry.lease (
  queue int NOT NULL,
  number bigint NOT NULL,
  -- Parts of one lease end at different times, because they were extended by themselves.
  part int NOT NULL,
  until bigint NOT NULL,
  consumer text NOT NULL,
  -- Why the sweeper holds it: 'lease-expired' or 'expired'; null: a consumer does.
  cause text,
  -- Some are of a group.
  grouped boolean NOT NULL,
  -- At most so many of the messages did not end.
  remaining int NOT NULL,
  -- By place in the lease; 0: not, or not any more, of this part.
  sequences bigint[] NOT NULL,
  -- The same for lanes; null: all are of one.
  lanes int[],
  lane int,
  PRIMARY KEY (queue, number, part)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Stored once in a piece, beside the row, which then is short to write anew.
ALTER TABLE wherry.lease ALTER sequences SET STORAGE EXTERNAL, ALTER lanes SET STORAGE EXTERNAL;
CREATE INDEX lease_until ON wherry.lease (until);

-- Groups of which a member was settled in a caller's transaction: the next taker opens them.
CREATE TABLE wherry.group_left (
  queue int NOT NULL,
  group_id text NOT NULL,
  slots int NOT NULL
);

CREATE INDEX group_left_queue ON wherry.group_left (queue);

-- Token buckets of groups; one that is not there is full.
CREATE TABLE wherry.group_bucket (
  queue int NOT NULL,
  group_id text NOT NULL,
  level bigint NOT NULL,
  at bigint NOT NULL,
  rate_max bigint NOT NULL,
  rate_per bigint NOT NULL,
  PRIMARY KEY (queue, group_id)
);

CREATE INDEX group_bucket_full ON wherry.group_bucket ((at + rate_per));

-- Which deduplication ids were sent lately, and the message that was stored.
CREATE TABLE wherry.deduplication (
  queue int NOT NULL,
  deduplication_id text NOT NULL,
  until bigint NOT NULL,
  message_id text NOT NULL,
  PRIMARY KEY (queue, deduplication_id)
);

CREATE INDEX deduplication_until ON wherry.deduplication (until);

CREATE TABLE wherry.fence (
  queue int NOT NULL,
  key text NOT NULL,
  value double precision NOT NULL,
  PRIMARY KEY (queue, key)
);
