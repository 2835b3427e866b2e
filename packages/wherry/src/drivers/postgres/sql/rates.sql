-- Token buckets, exactly as core/token-bucket.ts has them: whole numbers, so that every store gives
-- the same answers.

-- `level`: in units of which a token takes `rate_per`. `at`: when it had that.
CREATE TYPE wherry.bucket AS (level bigint, at bigint, rate_max bigint, rate_per bigint);

-- A bucket as it is now, for the limit that holds now. Null: a full one.
CREATE FUNCTION wherry.refilled(
  bucket wherry.bucket, rate_max bigint, rate_per bigint, moment bigint
) RETURNS wherry.bucket LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  level bigint;
  at bigint;
BEGIN
  IF bucket.level IS NULL THEN
    RETURN (rate_max * rate_per, moment, rate_max, rate_per)::wherry.bucket;
  END IF;
  -- A clock that went back fills nothing.
  at := greatest(moment, bucket.at);
  -- In steps: a long time times a high rate is more than a bigint.
  IF at - bucket.at >= bucket.rate_per THEN
    RETURN (rate_max * rate_per, at, rate_max, rate_per)::wherry.bucket;
  END IF;
  level := bucket.level + (at - bucket.at) * bucket.rate_max;
  IF level >= bucket.rate_max * bucket.rate_per THEN
    RETURN (rate_max * rate_per, at, rate_max, rate_per)::wherry.bucket;
  END IF;
  -- Tokens are kept when their size changes.
  IF rate_per <> bucket.rate_per THEN
    level := level / bucket.rate_per * rate_per;
  END IF;
  RETURN (least(level, rate_max * rate_per), at, rate_max, rate_per)::wherry.bucket;
END
$$;

-- Milliseconds until a bucket has a token.
CREATE FUNCTION wherry.wait_for(bucket wherry.bucket) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN bucket.level >= bucket.rate_per THEN 0
    ELSE (bucket.rate_per - bucket.level + bucket.rate_max - 1) / bucket.rate_max END
$$;

-- The queue's own bucket is a part of its frontier.
CREATE FUNCTION wherry.refill(
  line wherry.frontier, rate_max bigint, rate_per bigint, moment bigint
) RETURNS wherry.frontier LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  bucket wherry.bucket := wherry.refilled(
    (line.bucket_level, line.bucket_at, line.bucket_max, line.bucket_per)::wherry.bucket,
    rate_max, rate_per, moment
  );
BEGIN
  line.bucket_level := bucket.level;
  line.bucket_at := bucket.at;
  line.bucket_max := bucket.rate_max;
  line.bucket_per := bucket.rate_per;
  RETURN line;
END
$$;

-- Takes tokens out of it that are there; `rate_per` is null where no limit holds.
CREATE FUNCTION wherry.spend(line wherry.frontier, rate_per bigint, tokens int)
RETURNS wherry.frontier LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  line.bucket_level := line.bucket_level - coalesce(tokens * rate_per, 0);
  RETURN line;
END
$$;

CREATE FUNCTION wherry.rate_wait(line wherry.frontier) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT wherry.wait_for(
    (line.bucket_level, line.bucket_at, line.bucket_max, line.bucket_per)::wherry.bucket
  )
$$;

-- A group's bucket as it is now, by the limit that the queue goes by. For who holds the taking lock.
CREATE FUNCTION wherry.group_bucket_at(line wherry.frontier, of_group text, moment bigint)
RETURNS wherry.bucket LANGUAGE plpgsql AS $$
DECLARE
  old wherry.bucket;
  bucket wherry.bucket;
BEGIN
  SELECT level, at, rate_max, rate_per INTO old
  FROM wherry.group_bucket WHERE queue = line.queue AND group_id = of_group;
  bucket := wherry.refilled(old, line.group_rate_max, line.group_rate_per, moment);
  IF (old.rate_max, old.rate_per) <> (bucket.rate_max, bucket.rate_per) THEN
    -- From now on this limit fills it.
    PERFORM wherry.keep_group_bucket(line.queue, of_group, bucket);
  END IF;
  RETURN bucket;
END
$$;

CREATE FUNCTION wherry.keep_group_bucket(queue_number int, of_group text, bucket wherry.bucket)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO wherry.group_bucket (queue, group_id, level, at, rate_max, rate_per)
  VALUES (queue_number, of_group, bucket.level, bucket.at, bucket.rate_max, bucket.rate_per)
  ON CONFLICT (queue, group_id) DO UPDATE SET
    level = excluded.level, at = excluded.at,
    rate_max = excluded.rate_max, rate_per = excluded.rate_per
$$;

-- Milliseconds until a group's rate limit lets the next one go; null: no limit holds.
CREATE FUNCTION wherry.group_wait(line wherry.frontier, of_group text, moment bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF of_group IS NULL OR line.group_rate_max IS NULL THEN
    RETURN null;
  END IF;
  RETURN wherry.wait_for(wherry.group_bucket_at(line, of_group, moment));
END
$$;

-- Takes a token out of a group's bucket, if a limit holds.
CREATE FUNCTION wherry.spend_of_group(line wherry.frontier, of_group text, moment bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bucket wherry.bucket;
BEGIN
  IF line.group_rate_max IS NOT NULL THEN
    bucket := wherry.group_bucket_at(line, of_group, moment);
    bucket.level := bucket.level - bucket.rate_per;
    PERFORM wherry.keep_group_bucket(line.queue, of_group, bucket);
  END IF;
END
$$;

-- Milliseconds until the first message goes on that its group's rate holds back; null: none.
CREATE FUNCTION wherry.resumes_in(queue_number int, moment bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT resumes_at - moment FROM wherry.message
  WHERE queue + 0 = queue_number AND place = 'throttled'
    AND (parked IS NOT NULL OR (expires_at <= moment) IS NOT TRUE)
  ORDER BY resumes_at LIMIT 1
$$;
