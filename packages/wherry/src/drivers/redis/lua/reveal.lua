--@include arrive
-- Copies of transfers that were decided for become messages.
-- ARGV: as JSON the copies (see `reveal`)
-- Answers: news, and what `reveal` answers.
insist()
local queue = open_queue(KEYS[1])
local answers = reveal(queue, cjson.decode(ARGV[FIRST]))
return { close_queues(), answers }
