-- What arrives with a higher priority than the queue has, has that; null: a version that knew none
-- calls.
ALTER TYPE wherry.target ADD ATTRIBUTE max_priority int;

-- new -> ready or scheduled. `new`: all but its sequence, lane and place. Returns it as it is stored.
-- Locks: a strand. The existence lock is held.
CREATE OR REPLACE FUNCTION wherry.store_message(
  new wherry.message, target wherry.target, priority int, moment bigint, in_transaction boolean
) RETURNS wherry.message LANGUAGE plpgsql AS $$
DECLARE
  strand int := wherry.own_strand(new.queue);
  scheduled int := 0;
BEGIN
  new.sequence := nextval('wherry.message_sequence');
  IF new.available_at > moment THEN
    new.place := 'scheduled';
    scheduled := 1;
  ELSIF new.group_id IS NOT NULL THEN
    new.place := 'arrived';
    new.slots := target.slots;
  ELSIF new.replaceable THEN
    new.place := 'ready';
  END IF;
  IF new.place IS NOT NULL THEN
    strand := wherry.no_strand();
  END IF;
  new.lane := wherry.lane_of(least(priority, target.max_priority), strand);
  new.available_at := nullif(new.available_at, new.stored_at);
  INSERT INTO wherry.message VALUES (new.*);
  PERFORM wherry.list_lane(new.queue, new.lane);
  PERFORM wherry.count_change(
    new.queue, (1 - scheduled, scheduled, 0, new.bytes, 1), in_transaction
  );
  IF new.place = 'arrived' AND NOT in_transaction THEN
    PERFORM wherry.open_for_arrivals(new.queue, ARRAY[new.group_id], target.slots, moment);
  END IF;
  RETURN new;
END
$$;
