-- ARGV: writer. Writers that were killed are forgotten after a day.
local DAY = 86400000000
local layout = call('HGET', META, 'layout')
if is_newer(layout) then return { 'version', layout } end
local moment = now()
if call('HLEN', META) > 64 then
  local fields = call('HGETALL', META)
  for i = 1, #fields, 2 do
    local writer = string.match(fields[i], '^s:(.*)$')
    if writer and tonumber(fields[i + 1]) < moment - DAY then
      call('HDEL', META, 's:' .. writer, 'w:' .. writer)
    end
  end
end
call('HSET', META, 'layout', LAYOUT, 'w:' .. ARGV[1], 0, 's:' .. ARGV[1], written(moment))
return { 'done' }
