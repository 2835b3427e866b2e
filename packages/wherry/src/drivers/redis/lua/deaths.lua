-- A message's death record: one entry after the other. An entry:
--      queue u16 length, text; reason u8 length, text; time u48, count u32; error, stack and
--      route: u32 length, JSON or nothing
local DEATH = '>Hc0Bc0I6I4I4c0'
-- As in core/deaths.ts.
local DEATHS_MAX = 32

local function pack_death(death, time, count)
  local rest = death.rest or ''
  return struct.pack(
    DEATH,
    #death.queue,
    death.queue,
    #death.reason,
    death.reason,
    time,
    count,
    #rest,
    rest
  )
end

-- Records a death at `now`. Equal queue and reason are one entry: counted, and moved to the end.
-- death: queue, reason, rest
local function append_death(deaths, death)
  local entries, count, at = {}, 1, 1
  while at <= #deaths do
    local queue, reason, _, count_before, _, after = struct.unpack(DEATH, deaths, at)
    if queue == death.queue and reason == death.reason then
      count = count_before + 1
    else
      entries[#entries + 1] = string.sub(deaths, at, after - 1)
    end
    at = after
  end
  entries[#entries + 1] = pack_death(death, now, count)
  return table.concat(entries, '', math.max(1, #entries - DEATHS_MAX + 1))
end
