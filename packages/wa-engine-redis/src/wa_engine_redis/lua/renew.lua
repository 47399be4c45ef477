-- ARGV: epoch, microseconds; 0 of them ends the lease.
local seen = call('HMGET', META, 'layout', 'epoch', 'until')
if is_newer(seen[1]) then return { 'version', seen[1] } end
local moment = now()
if seen[2] ~= ARGV[1] or moment >= tonumber(seen[3]) then return { 'fenced' } end
call('HSET', META, 'until', written(moment + ARGV[2]))
return { 'done' }
