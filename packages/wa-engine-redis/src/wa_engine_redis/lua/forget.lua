-- ARGV: the last key seen or ''. Removes rows whose value is gone; replies with the next key.
local low = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local keys = call('ZRANGEBYLEX', ALL, low, '+', 'LIMIT', 0, 500)
if #keys == 0 then return '' end
for _, key in ipairs(keys) do
  if call('EXISTS', P .. key) == 0 then
    local gone = { key }
    call('ZREM', ALL, key)
    call('ZREM', BY_AGE, key)
    leave(key, gone)
  end
end
return keys[#keys]
