-- Writing and removing index rows and values, for the scripts that change them.

-- What `put` and `index` have collected: values, rows for the two sets that hold every key, and the
-- same rows by the folder that a key lies in. Scores are text, made once for all sets.
local values, rows, aged, leaves = {}, {}, {}, {}

-- What `remove` has collected: keys with nothing below them, and the same by their folder.
local gone, left = {}, {}

-- Give a folder a sorted set of its own, out of the two that hold every key.
local function build(folder)
  local low, cut = from(folder), #folder + 1
  call('ZADD', FOLDERS, 0, folder)
  while true do
    local keys = call('ZRANGEBYLEX', ALL, low, to(folder), 'LIMIT', 0, CHUNK / 2)
    if #keys == 0 then return end
    local scores, list = call('ZMSCORE', BY_AGE, unpack(keys)), {}
    for i, key in ipairs(keys) do
      if scores[i] then
        list[#list + 1] = scores[i]
        list[#list + 1] = string.sub(key, cut)
      end
    end
    each_of('ZADD', BY_AGE .. folder, list)
    low = '(' .. keys[#keys]
  end
end

-- The folders above what is collected by folder, and for each of these the list of those above it.
local function folders_above(leaves)
  local names, chains, seen = {}, {}, {}
  for leaf in pairs(leaves) do
    local chain, folder = {}, leaf
    while folder ~= '' do
      chain[#chain + 1] = folder
      if not seen[folder] then
        seen[folder] = true
        names[#names + 1] = folder
      end
      folder = folder_of(folder)
    end
    chains[leaf] = chain
  end
  return names, chains
end

-- The folders among these that have a sorted set of their own, each with an empty list.
local function large(names)
  local found = {}
  for first = 1, #names, CHUNK do
    local last = math.min(first + CHUNK - 1, #names)
    for i, score in ipairs(call('ZMSCORE', FOLDERS, unpack(names, first, last))) do
      if score then found[names[first + i - 1]] = {} end
    end
  end
  return found
end

-- Enter the collected rows in the folders above them: one call for each sorted set.
local function enter()
  local names, chains = folders_above(leaves)
  local lists = large(names)
  for leaf, list in pairs(leaves) do
    for _, folder in ipairs(chains[leaf]) do
      local short = lists[folder]
      if short then
        local n, cut = #short, #folder + 1
        for i = 1, #list, 2 do
          short[n + i], short[n + i + 1] = list[i], string.sub(list[i + 1], cut)
        end
      end
    end
  end
  for _, folder in ipairs(names) do
    if lists[folder] then
      each_of('ZADD', BY_AGE .. folder, lists[folder])
    elseif call('ZLEXCOUNT', ALL, from(folder), to(folder)) > SMALL then
      build(folder)
    end
  end
end

-- Write down what `put` and `index` have collected.
local function flush()
  if #rows == 0 then return end
  each('MSET', values)
  each_of('ZADD', ALL, rows)
  each_of('ZADD', BY_AGE, aged)
  enter()
  values, rows, aged, leaves = {}, {}, {}, {}
end

local function index(key, position)
  local n, folder, score = #rows, folder_of(key), written(-position)
  rows[n + 1], rows[n + 2] = '0', key
  aged[n + 1], aged[n + 2] = score, key
  if folder ~= '' then
    local list = leaves[folder]
    if not list then
      list = {}
      leaves[folder] = list
    end
    local m = #list
    list[m + 1], list[m + 2] = score, key
  end
end

-- Take a folder whose last key went off the list of those with a set.
local function forget_if_empty(folder)
  if call('EXISTS', BY_AGE .. folder) == 0 then call('ZREM', FOLDERS, folder) end
end

-- Remove what `remove` has collected: one call for each sorted set.
local function sweep()
  if #gone == 0 then return end
  local names = {}
  for i, key in ipairs(gone) do names[i] = P .. key end
  each('UNLINK', names)
  each_of('ZREM', ALL, gone)
  each_of('ZREM', BY_AGE, gone)
  local folders, chains = folders_above(left)
  local lists = large(folders)
  for leaf, keys in pairs(left) do
    for _, folder in ipairs(chains[leaf]) do
      local short = lists[folder]
      if short then
        local n, cut = #short, #folder + 1
        for i, key in ipairs(keys) do short[n + i] = string.sub(key, cut) end
      end
    end
  end
  for folder, short in pairs(lists) do
    each_of('ZREM', BY_AGE .. folder, short)
    forget_if_empty(folder)
  end
  gone, left = {}, {}
end

local function put(key, value, position)
  sweep()
  local n = #values
  values[n + 1], values[n + 2] = P .. key, value
  index(key, position)
end

-- Take rows out of the folders above `key`; what is below it goes as a whole.
local function leave(key, keys)
  local folder = folder_of(key)
  while folder ~= '' do
    if call('EXISTS', BY_AGE .. folder) == 1 then
      local cut, short = #folder + 1, {}
      for i, gone in ipairs(keys) do short[i] = string.sub(gone, cut) end
      each_of('ZREM', BY_AGE .. folder, short)
      forget_if_empty(folder)
    end
    folder = folder_of(folder)
  end
end

-- Remove these keys, which are `key` or lie below it, from all but the set of all keys.
local function drop(key, keys)
  local names = {}
  for i, gone in ipairs(keys) do names[i] = P .. gone end
  each('UNLINK', names)
  each_of('ZREM', BY_AGE, keys)
  leave(key, keys)
end

-- Remove the sets of all folders from `low` to `high`.
local function fold(low, high)
  local sets = call('ZRANGEBYLEX', FOLDERS, low, high)
  for i, folder in ipairs(sets) do sets[i] = BY_AGE .. folder end
  each('UNLINK', sets)
  if #sets > 0 then call('ZREMRANGEBYLEX', FOLDERS, low, high) end
end

-- Remember a key that has nothing below it; `sweep` removes it.
local function collect(key)
  local folder = folder_of(key)
  gone[#gone + 1] = key
  if folder ~= '' then
    left[folder] = left[folder] or {}
    table.insert(left[folder], key)
  end
end

-- Remove a key and all below it; what was collected and lies below goes twice, which does no harm.
local function remove(key)
  flush()
  local low, high = '[' .. key .. '/', to(key .. '/')
  if #call('ZRANGEBYLEX', ALL, low, high, 'LIMIT', 0, 1) == 0 then return collect(key) end
  drop(key, { key })
  call('ZREM', ALL, key)
  local first = low
  while true do
    local keys = call('ZRANGEBYLEX', ALL, first, high, 'LIMIT', 0, CHUNK)
    if #keys == 0 then break end
    drop(key, keys)
    first = '(' .. keys[#keys]
  end
  call('ZREMRANGEBYLEX', ALL, low, high)
  fold(low, high)
end
