-- ARGV: writer, number. The clock and the epoch stay.
local refused = refusal(ARGV[1], ARGV[2], '')
if refused then return refused end
local first, seen = '-', {}
while true do
  local keys = call('ZRANGEBYLEX', ALL, first, '+', 'LIMIT', 0, CHUNK)
  if #keys == 0 then break end
  local names, sets = {}, {}
  for i, key in ipairs(keys) do
    names[i] = P .. key
    note(folder_of(key), 1, seen, sets)
  end
  each('UNLINK', names)
  each('UNLINK', sets)
  first = '(' .. keys[#keys]
end
call('UNLINK', ALL, BY_AGE)
return finish(ARGV[1], ARGV[2])
