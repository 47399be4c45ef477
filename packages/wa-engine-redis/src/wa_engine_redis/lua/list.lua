-- ARGV: prefix, offset, limit (-1 is all). Replies with keys, without the folder of the prefix.
local prefix, offset, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local folder = prefix
if string.sub(prefix, -1) ~= '/' then folder = folder_of(prefix .. 'x') end
local page = BY_AGE .. folder
local is_large = folder == '' or call('EXISTS', page) == 1
if prefix == folder and is_large then
  local last = limit < 0 and -1 or offset + limit - 1
  return call('ZRANGE', page, written(offset), written(last))
end

local found, cut = {}, #folder + 1
local count = call('ZLEXCOUNT', ALL, from(prefix), to(prefix))
if offset >= count then return found end
if limit < 0 or limit > count then limit = count end

if count > CHUNK then
  -- Too many to sort: walk the folder, newest first, and take what begins like this.
  local rest, skipped, first = string.sub(prefix, cut), 0, 0
  while #found < limit do
    local rows = call('ZRANGE', page, first, first + CHUNK - 1)
    if #rows == 0 then return found end
    for _, name in ipairs(rows) do
      if string.sub(name, 1, #rest) == rest and #found < limit then
        if skipped < offset then skipped = skipped + 1 else found[#found + 1] = name end
      end
    end
    first = first + CHUNK
  end
  return found
end

-- Few: they come in the order of their bytes, so that a place decides between equal ages.
local keys = call('ZRANGEBYLEX', ALL, from(prefix), to(prefix))
local scores, places = call('ZMSCORE', BY_AGE, unpack(keys)), {}
for i = 1, #keys do
  scores[i] = tonumber(scores[i] or 0)
  places[i] = i
end
table.sort(places, function(a, b)
  if scores[a] ~= scores[b] then return scores[a] < scores[b] end
  return a < b
end)
for i = offset + 1, math.min(offset + limit, #places) do
  found[#found + 1] = string.sub(keys[places[i]], cut)
end
return found
