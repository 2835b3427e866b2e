--@include arrive
-- Decides for transfers of copies, and reveals those that are held here.
-- ARGV: as JSON of each transfer its name, its copies that are held here, and those elsewhere (see
-- `reveal` and `decide`)
-- Answers: news, and for each 0 if it was decided against, else what `reveal` answers.
insist()
local queue = open_queue(KEYS[1])
local answers = {}
for index, item in ipairs(cjson.decode(ARGV[FIRST])) do
  answers[index] = 0
  if not is_refused(queue, item.transfer) then
    answers[index] = reveal(queue, item.here)
    decide(queue, item.transfer, item.others)
  end
end
return { close_queues(), answers }
