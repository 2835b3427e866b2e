--@include call
--@include view
-- ARGV: an id, 16 bytes
-- Answers nothing, or the place in KEYS of the queue that has the message, its name, 1 if the
-- message is scheduled, and what view.lua says.
local id = ARGV[FIRST]
for index, base in ipairs(KEYS) do
  local may_have = index == 1 or redis.call('HEXISTS', base .. 'ids', id) == 1
  local queue = may_have and open_queue(base)
  local message = queue and not queue.is_deleted and find_by_id(queue, id)
  if message then
    local is_scheduled = redis.call('ZSCORE', queue.key.sched, member_of(message.key)) and 1 or 0
    return { index, queue.name, is_scheduled, view(queue, message) }
  end
end
return false
