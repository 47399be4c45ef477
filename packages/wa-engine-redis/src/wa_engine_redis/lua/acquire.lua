-- ARGV: holder, microseconds, token. A token that took the lease before takes it no second time:
-- the driver repeats requests, and the network delivers some late.
local seen = call('HMGET', META, 'layout', 'epoch', 'until', 'holder', 'token')
if is_newer(seen[1]) then return { 'version', seen[1] } end
if seen[5] == ARGV[3] then return { 'done', seen[2] } end
local moment, over = now(), tonumber(seen[3] or 0)
if over > moment then return { 'held', seen[4], written(over - moment) } end
-- Not behind the clock: a server that lost its memory must not give an epoch a second time.
local epoch = written(math.max(tonumber(seen[2] or 0) + 1, moment))
call('HSET', META, 'layout', LAYOUT, 'epoch', epoch, 'holder', ARGV[1], 'token', ARGV[3],
  'until', written(moment + ARGV[2]))
return { 'done', epoch }
