-- ARGV: keys that were seen as values. Those that are, and have no row yet, get one.
moment, clock = now(), tonumber(call('HGET', META, 'clock') or 0)
local added = 0
for _, key in ipairs(ARGV) do
  if call('TYPE', P .. key).ok == 'string' and not call('ZSCORE', BY_AGE, key) then
    index(key, next_position())
    added = added + 1
  end
end
flush()
call('HSET', META, 'clock', written(clock))
return added
