--@include transfer
-- ARGV: as JSON, transfers of which all places have heard what was decided here, and copies that are
-- held here and will not come
insist()
local queue = open_queue(KEYS[1])
for _, transfer in ipairs(cjson.decode(ARGV[FIRST])) do
  hdel(queue.key.decided, transfer)
  unwatch(queue, DECIDED, transfer)
end
for _, name in ipairs(cjson.decode(ARGV[FIRST + 1])) do
  if let_go(queue, name) then
    tell(queue, ROOM)
  end
end
return { close_queues() }
