--@include transfer
--@include room
--@include send
-- Copies that are held become messages.

-- publish_id: the first copy's id, if this is another
-- Answers the id of the message that is stored then, and whether it is new.
local function arrive(queue, copy, publish_id)
  local is_late = copy.sequence ~= queue.seq
  if copy.record then
    local message, is_copy = copy.message, copy.is_copy
    return transfer(queue, message, copy.record, copy.id, copy.deaths, is_copy, copy.sequence, is_late), 'stored'
  end
  local run = copy.run
  local sent = find_sent(queue, run)
  if sent then
    return sent, 'duplicate'
  end
  local replaced = remove_replaced(queue, run)
  if replaced then
    return store(queue, run, copy.content, place_of(replaced)), 'replaced'
  end
  local place = {
    sequence = copy.sequence,
    is_late = is_late,
    priority = priority_for(queue, run.priority),
    timestamp = copy.timestamp,
    begun = copy.timestamp,
    id = copy.id,
    publish_id = publish_id,
  }
  return store(queue, run, copy.content, place), 'stored'
end

-- Copies that are held become messages. items: the name of each, and the id of the first copy of its
-- message (hexadecimal; '': it is the first)
-- Answers the id and what became of it by turns; '' for one that is not held (any more).
local function reveal(queue, items)
  local answers = {}
  for at = 1, #items, 2 do
    local copy = not queue.is_deleted and let_go(queue, items[at])
    answers[at], answers[at + 1] = '', ''
    if copy then
      local publish_id = items[at + 1] ~= '' and from_hex(items[at + 1]) or nil
      local arrived = with_ref(queue, copy.ref, function()
        return { arrive(queue, copy, publish_id) }
      end)
      answers[at], answers[at + 1] = arrived[1], arrived[2]
    end
  end
  return answers
end
