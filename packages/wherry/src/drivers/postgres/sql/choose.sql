-- What a taker gets. For who holds the taking lock.

CREATE TYPE wherry.choice AS (
  -- With the frontier and the queue's bucket as they are afterwards.
  line wherry.frontier,
  held wherry.keys,
  is_plain boolean,
  is_grouped boolean,
  retry_in bigint
);

-- Marks what is overdue in a page that the frontier passes. Returns the others.
CREATE FUNCTION wherry.set_overdue_aside(queue_number int, page wherry.page)
RETURNS wherry.page LANGUAGE plpgsql AS $$
BEGIN
  UPDATE wherry.message SET place = 'overdue'
  FROM (
    SELECT
      queue_number AS queue, unnest(page.lanes) AS lane, unnest(page.sequences) AS sequence,
      unnest(page.overdue) AS overdue
    OFFSET 0
  ) AS found
  WHERE found.overdue AND message.queue = found.queue AND message.lane = found.lane
    AND message.sequence = found.sequence;
  SELECT array_agg(lane ORDER BY at), array_agg(sequence ORDER BY at)
  INTO page.lanes, page.sequences
  FROM unnest(page.lanes, page.sequences, page.overdue)
    WITH ORDINALITY AS found(lane, sequence, overdue, at)
  WHERE NOT overdue;
  RETURN page;
END
$$;

-- Where nothing but plain messages can be taken and the queue has no rate limit.
CREATE FUNCTION wherry.choose_plain(line wherry.frontier, max_messages int, moment bigint)
RETURNS wherry.choice LANGUAGE plpgsql AS $$
DECLARE
  held wherry.keys := ('{}', '{}');
  page wherry.page;
  pages int := 0;
  retry_in bigint;
BEGIN
  WHILE cardinality(held.sequences) < max_messages LOOP
    page := wherry.next_plain(line, max_messages - cardinality(held.sequences), moment);
    EXIT WHEN page.sequences IS NULL;
    pages := pages + 1;
    line := wherry.advance(line, page);
    IF page.overdue IS NOT NULL THEN
      page := wherry.set_overdue_aside(line.queue, page);
    END IF;
    held.lanes := held.lanes || page.lanes;
    held.sequences := held.sequences || page.sequences;
    EXIT WHEN page.is_last;
  END LOOP;
  IF line.group_rate_max IS NOT NULL AND cardinality(held.sequences) < max_messages THEN
    retry_in := wherry.resumes_in(line.queue, moment);
  END IF;
  -- What came with a later page may come before some of the first: only one page is in its order.
  RETURN (line, held, pages = 1, false, retry_in)::wherry.choice;
END
$$;

-- Whether as many of a group are leased as it has slots. (Of those outside there can be more when it
-- had more slots before.)
CREATE FUNCTION wherry.is_blocked(line wherry.frontier, of_group text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT of_group IS NOT NULL AND line.slots <= (
    SELECT count(*) FROM wherry.message
    WHERE queue + 0 = line.queue AND group_id = of_group AND outside
      AND place IN ('leased', 'leased suspect')
  )
$$;

-- Leases one message that has a place; out of turn too, then it is outside its group from now on.
-- Returns false when somebody is replacing it, or has.
CREATE FUNCTION wherry.lease_one(
  queue_number int, lane_number int, message_sequence bigint, can_be_replaced boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF can_be_replaced THEN
    PERFORM FROM wherry.message
    WHERE queue = queue_number AND lane = lane_number AND sequence = message_sequence
      AND place = 'ready'
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
  END IF;
  UPDATE wherry.message SET
    place = CASE WHEN suspect THEN 'leased suspect' ELSE 'leased' END,
    outside = CASE WHEN group_id IS NOT NULL THEN true END,
    resumes_at = null,
    replaceable = null
  WHERE queue = queue_number AND lane = lane_number AND sequence = message_sequence;
  RETURN true;
END
$$;

-- Leases those who wait behind a head that was just leased, while one batch may hold them too: in
-- order, none of them a suspect, none late or overdue.
CREATE FUNCTION wherry.lease_followers(
  line wherry.frontier, of_group text, max_messages int, moment bigint
) RETURNS wherry.keys LANGUAGE plpgsql AS $$
DECLARE
  next record;
  held wherry.keys := ('{}', '{}');
BEGIN
  FOR next IN
    SELECT lane, sequence, suspect IS TRUE OR available_at > moment
      OR (parked IS NULL AND expires_at <= moment) AS must_wait
    FROM wherry.message WHERE queue + 0 = line.queue AND group_id = of_group AND place = 'waiting'
    ORDER BY group_id, sequence LIMIT max_messages
  LOOP
    EXIT WHEN next.must_wait OR wherry.group_wait(line, of_group, moment) > 0;
    PERFORM wherry.lease_one(line.queue, next.lane, next.sequence, false);
    PERFORM wherry.spend_of_group(line, of_group, moment);
    held.lanes := held.lanes || next.lane;
    held.sequences := held.sequences || next.sequence;
  END LOOP;
  RETURN held;
END
$$;

-- Takes a ready message out of the takers' way; but not one that is being replaced, or was.
CREATE FUNCTION wherry.put_aside(
  queue_number int, lane_number int, message_sequence bigint, new_place text, until bigint,
  moment bigint
) RETURNS void LANGUAGE sql AS $$
  WITH free AS (
    SELECT queue, lane, sequence FROM wherry.message
    WHERE queue = queue_number AND lane = lane_number AND sequence = message_sequence
      AND place IN ('ready', 'suspect')
      AND (new_place <> 'overdue' OR (parked IS NULL AND expires_at <= moment))
    FOR UPDATE SKIP LOCKED
  )
  UPDATE wherry.message SET place = new_place, resumes_at = until FROM free
  WHERE message.queue = free.queue AND message.lane = free.lane
    AND message.sequence = free.sequence
$$;

-- The general case: plain messages together with those that have a place, groups and rates.
CREATE FUNCTION wherry.choose(
  line wherry.frontier, max_messages int, per_group int, rate_max bigint, rate_per bigint,
  moment bigint
) RETURNS wherry.choice LANGUAGE plpgsql
SET enable_sort = off AS $$
DECLARE
  has_suspect boolean := EXISTS (
    SELECT FROM wherry.message WHERE queue + 0 = line.queue AND place = 'leased suspect'
  );
  -- Read one by one: nobody knows how far.
  ready_ones CURSOR FOR
    SELECT
      lane, sequence, group_id, place, replaceable,
      parked IS NULL AND expires_at <= moment AS is_overdue
    FROM wherry.message WHERE queue + 0 = line.queue AND place = 'ready'
    ORDER BY lane >> 16, sequence;
  suspects CURSOR FOR
    SELECT
      lane, sequence, group_id, place, replaceable,
      parked IS NULL AND expires_at <= moment AS is_overdue
    FROM wherry.message WHERE queue + 0 = line.queue AND place = 'suspect' AND NOT has_suspect
    ORDER BY lane >> 16, sequence;
  ready record;
  suspect record;
  next record;
  -- The plain ones are read ahead, and each is read once, however many others come up in between.
  page wherry.page;
  turns bigint[] := '{}';
  -- How many of the page were passed; the frontier follows when the page is left.
  passed int := 0;
  plain_count int;
  plain wherry.page;
  followers wherry.keys;
  choice wherry.choice;
  held wherry.keys := ('{}', '{}');
  room bigint;
  -- By the queue's rate.
  allowed bigint;
  -- A limit that has changed fills the queue's bucket from when it is first asked.
  unasked wherry.frontier := line;
  is_asked boolean := false;
BEGIN
  choice.is_plain := false;
  choice.is_grouped := false;
  IF rate_max IS NOT NULL THEN
    line := wherry.refill(line, rate_max, rate_per, moment);
  END IF;
  OPEN ready_ones;
  OPEN suspects;
  FETCH ready_ones INTO ready;
  FETCH suspects INTO suspect;
  LOOP
    room := max_messages - cardinality(held.sequences);
    EXIT WHEN room <= 0;
    allowed := least(room, CASE WHEN rate_max IS NOT NULL THEN line.bucket_level / rate_per END);
    next := CASE WHEN wherry.turn(suspect.lane, suspect.sequence)
      < coalesce(wherry.turn(ready.lane, ready.sequence), wherry.last_turn())
      THEN suspect ELSE ready END;
    IF passed = cardinality(turns) AND page.is_last IS NOT TRUE THEN
      line := wherry.pass(line, page.lanes[1 : passed], page.sequences[1 : passed]);
      page := wherry.next_plain(line, room::int, moment);
      turns := ARRAY(
        SELECT wherry.turn(lane, sequence) FROM unnest(page.lanes, page.sequences)
          WITH ORDINALITY AS plain(lane, sequence, at) ORDER BY at
      );
      passed := 0;
    END IF;
    -- First the plain ones that come up before the next that has a place, in one step.
    plain_count := width_bucket(
      coalesce(wherry.turn(next.lane, next.sequence), wherry.last_turn()), turns
    ) - passed;
    IF plain_count > 0 THEN
      is_asked := is_asked OR page.overdue[passed + 1] IS NOT TRUE;
      IF allowed = 0 AND page.overdue[passed + 1] IS NOT TRUE THEN
        choice.retry_in := wherry.rate_wait(line);
        EXIT;
      END IF;
      plain_count := least(plain_count, greatest(allowed, 1));
      plain.lanes := page.lanes[passed + 1 : passed + plain_count];
      plain.sequences := page.sequences[passed + 1 : passed + plain_count];
      plain.overdue := page.overdue[passed + 1 : passed + plain_count];
      IF page.overdue IS NOT NULL THEN
        plain := wherry.set_overdue_aside(line.queue, plain);
      END IF;
      is_asked := is_asked OR plain.sequences IS NOT NULL;
      passed := passed + plain_count;
      held := (held.lanes || plain.lanes, held.sequences || plain.sequences);
      line := wherry.spend(line, rate_per, coalesce(cardinality(plain.sequences), 0));
      CONTINUE;
    END IF;
    IF next.lane IS NULL THEN
      choice.retry_in := wherry.resumes_in(line.queue, moment);
      EXIT;
    END IF;
    IF next.is_overdue THEN
      PERFORM wherry.put_aside(
        line.queue, next.lane, next.sequence, 'overdue', null, moment
      );
    ELSIF wherry.group_wait(line, next.group_id, moment) > 0 THEN
      PERFORM wherry.put_aside(
        line.queue, next.lane, next.sequence, 'throttled',
        moment + wherry.group_wait(line, next.group_id, moment), moment
      );
    ELSIF wherry.is_blocked(line, next.group_id) THEN
      NULL;
    ELSIF next.place = 'suspect' AND cardinality(held.sequences) > 0 THEN
      EXIT;
    ELSIF allowed = 0 THEN
      is_asked := true;
      choice.retry_in := wherry.rate_wait(line);
      EXIT;
    ELSIF wherry.lease_one(line.queue, next.lane, next.sequence, next.replaceable) THEN
      is_asked := true;
      held := (held.lanes || next.lane, held.sequences || next.sequence);
      line := wherry.spend(line, rate_per, 1);
      IF next.group_id IS NOT NULL THEN
        choice.is_grouped := true;
        PERFORM wherry.spend_of_group(line, next.group_id, moment);
      END IF;
      EXIT WHEN next.place = 'suspect';
      IF next.group_id IS NOT NULL AND line.slots = 1 AND per_group > 1 THEN
        followers := wherry.lease_followers(
          line, next.group_id, least(per_group, allowed)::int - 1, moment
        );
        held := (held.lanes || followers.lanes, held.sequences || followers.sequences);
        line := wherry.spend(line, rate_per, cardinality(followers.sequences));
      END IF;
    END IF;
    IF next.place = 'suspect' THEN
      FETCH suspects INTO suspect;
    ELSE
      FETCH ready_ones INTO ready;
    END IF;
  END LOOP;
  CLOSE ready_ones;
  CLOSE suspects;
  IF NOT is_asked THEN
    line.bucket_level := unasked.bucket_level;
    line.bucket_at := unasked.bucket_at;
    line.bucket_max := unasked.bucket_max;
    line.bucket_per := unasked.bucket_per;
  END IF;
  choice.line := wherry.pass(line, page.lanes[1 : passed], page.sequences[1 : passed]);
  choice.held := held;
  RETURN choice;
END
$$;
