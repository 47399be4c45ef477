-- Who holds the lease, and the microseconds that are left of it; nothing is written.
local seen = call('HMGET', META, 'holder', 'until')
local left = tonumber(seen[2] or 0) - now()
if left <= 0 then return {} end
return { seen[1], written(left) }
