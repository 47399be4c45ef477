-- ARGV: prefix, the last key seen or '', how many bytes are enough. Replies with key, value, score,
-- key, ...; a value that is not there, or is no string, is 0.
local prefix, after, enough = ARGV[1], ARGV[2], tonumber(ARGV[3])
local low = after == '' and from(prefix) or '(' .. after
local keys = call('ZRANGEBYLEX', ALL, low, to(prefix), 'LIMIT', 0, 256)
local found, size = {}, 0
if #keys == 0 then return found end
local scores = call('ZMSCORE', BY_AGE, unpack(keys))
for i, key in ipairs(keys) do
  local value = redis.pcall('GET', P .. key)
  if type(value) ~= 'string' then value = 0 else size = size + #value end
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = key, value, scores[i] or '0'
  if size > enough then break end
end
return found
