-- Whether it is this request's turn: the version, the writer and its number, the lease.
--
-- A writer numbers its requests. One that comes a second time (the driver sent it again) or late
-- (the caller gave up, and has written since) has a number that is not above the last, and changes
-- nothing. A writer that is not known has left, and all that it sent is over.

local clock, moment

local function refusal(writer, number, epoch)
  local seen = call('HMGET', META, 'layout', 'epoch', 'until', 'clock', 'w:' .. writer)
  if is_newer(seen[1]) then return { 'version', seen[1] } end
  if not seen[5] then return { 'unknown' } end
  if tonumber(number) <= tonumber(seen[5]) then return { 'done' } end
  moment = now()
  if epoch ~= '' and (epoch ~= seen[2] or moment >= tonumber(seen[3])) then return { 'fenced' } end
  clock = tonumber(seen[4] or 0)
end

-- A position above every one that was given before, and not behind the clock.
local function next_position()
  clock = math.max(moment, clock + 1)
  return clock
end

local function finish(writer, number)
  call('HSET', META, 'layout', LAYOUT, 'clock', written(clock), 'w:' .. writer, number)
  return { 'done' }
end
