-- ARGV: holder, microseconds, token. The token tells a request that came twice from a second one.
local seen = call('HMGET', META, 'layout', 'epoch', 'until', 'holder', 'token')
if is_newer(seen[1]) then return { 'version', seen[1] } end
local moment, over = now(), tonumber(seen[3] or 0)
if over > moment then
  if seen[5] == ARGV[3] then return { 'done', seen[2] } end
  return { 'held', seen[4], written(over - moment) }
end
local epoch = tonumber(seen[2] or 0) + 1
call('HSET', META, 'layout', LAYOUT, 'epoch', epoch, 'holder', ARGV[1], 'token', ARGV[3],
  'until', written(moment + ARGV[2]))
return { 'done', tostring(epoch) }
