-- ARGV: a random word. Replies with the writer's name, which no other request ever gets: also one
-- that the network delivers twice makes another writer, and the copies of all that followed it are
-- sent by nobody. Writers that were killed are forgotten after a day.
local DAY, CROWD = 86400000000, 64
local layout = call('HGET', META, 'layout')
if is_newer(layout) then return { 'version', layout } end
local moment = now()
if call('HLEN', META) > CROWD then
  local fields = call('HGETALL', META)
  for i = 1, #fields, 2 do
    local writer = string.match(fields[i], '^s:(.*)$')
    if writer and tonumber(fields[i + 1]) < moment - DAY then
      call('HDEL', META, 's:' .. writer, 'w:' .. writer)
    end
  end
end
local writer = call('HINCRBY', META, 'writers', 1) .. '-' .. ARGV[1]
call('HSET', META, 'layout', LAYOUT, 'w:' .. writer, 0, 's:' .. writer, written(moment))
return { 'done', writer }
