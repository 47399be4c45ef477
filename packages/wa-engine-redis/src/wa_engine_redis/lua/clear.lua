-- ARGV: writer, number. The clock and the epoch stay.
local refused = refusal(ARGV[1], ARGV[2], '')
if refused then return refused end
local first = '-'
while true do
  local keys = call('ZRANGEBYLEX', ALL, first, '+', 'LIMIT', 0, CHUNK)
  if #keys == 0 then break end
  local names = {}
  for i, key in ipairs(keys) do names[i] = P .. key end
  each('UNLINK', names)
  first = '(' .. keys[#keys]
end
fold('-', '+')
call('UNLINK', ALL, BY_AGE)
return finish(ARGV[1], ARGV[2])
