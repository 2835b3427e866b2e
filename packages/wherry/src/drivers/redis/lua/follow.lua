--@include call
-- Somebody waits for news of the queue: it is told once, then forgotten.
if redis.call('HEXISTS', KEYS[1] .. 'q', 'deleted') == 0 then
  redis.call('HSET', KEYS[1] .. 'q', 'hungry', 1, 'thirsty', 1)
end
return 1
