-- ARGV: keys. Replies with the values; nil for a key that is proven absent, 0 for one whose value
-- is not there, or is no string, although the index has it.
local found = {}
for first = 1, #ARGV, CHUNK do
  local last, names = math.min(first + CHUNK - 1, #ARGV), {}
  for i = first, last do names[#names + 1] = P .. ARGV[i] end
  for i, value in ipairs(call('MGET', unpack(names))) do
    local key = ARGV[first + i - 1]
    if not value and call('ZSCORE', BY_AGE, key) then value = 0 end
    found[first + i - 1] = value
  end
end
return found
