-- ARGV: writer, number, epoch or '', plan, then for each letter of the plan:
--   p key value    a key value position    d key
local writer, number, epoch, plan = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local refused = refusal(writer, number, epoch)
if refused then return refused end
local at = 5
for i = 1, #plan do
  local step = string.byte(plan, i)
  if step == 112 then
    put(ARGV[at], ARGV[at + 1], next_position())
    at = at + 2
  elseif step == 97 then
    put(ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]))
    at = at + 3
  else
    remove(ARGV[at])
    at = at + 1
  end
end
flush()
sweep()
return finish(writer, number)
