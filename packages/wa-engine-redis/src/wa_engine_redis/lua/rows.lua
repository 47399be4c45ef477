-- Writing and removing index rows and values, for the scripts that change them.

local values, rows, aged, folders = {}, {}, {}, {}

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

-- Enter rows (score, key, score, key, ...) of one folder there and in all folders above it.
local function enter(folder, list)
  local is_large = false  -- above a folder with a sorted set of its own, all have one
  while folder ~= '' do
    is_large = is_large or call('EXISTS', BY_AGE .. folder) == 1
    if is_large then
      local cut, short = #folder + 1, {}
      for i = 1, #list, 2 do
        short[i], short[i + 1] = list[i], string.sub(list[i + 1], cut)
      end
      each_of('ZADD', BY_AGE .. folder, short)
    elseif call('ZLEXCOUNT', ALL, from(folder), to(folder)) > SMALL then
      build(folder)
    end
    folder = folder_of(folder)
  end
end

-- Write down what `put` and `index` have collected.
local function flush()
  if #rows == 0 then return end
  each('MSET', values)
  each_of('ZADD', ALL, rows)
  each_of('ZADD', BY_AGE, aged)
  for folder, list in pairs(folders) do enter(folder, list) end
  values, rows, aged, folders = {}, {}, {}, {}
end

local function index(key, position)
  local n, folder = #rows, folder_of(key)
  rows[n + 1], rows[n + 2] = 0, key
  aged[n + 1], aged[n + 2] = -position, key
  if folder ~= '' then
    local list = folders[folder]
    if not list then
      list = {}
      folders[folder] = list
    end
    local m = #list
    list[m + 1], list[m + 2] = -position, key
  end
end

local function put(key, value, position)
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
      if call('EXISTS', BY_AGE .. folder) == 0 then call('ZREM', FOLDERS, folder) end
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

local function remove(key)
  flush()
  drop(key, { key })
  call('ZREM', ALL, key)
  local low, high = '[' .. key .. '/', to(key .. '/')
  local first = low
  while true do
    local keys = call('ZRANGEBYLEX', ALL, first, high, 'LIMIT', 0, CHUNK)
    if #keys == 0 then break end
    drop(key, keys)
    first = '(' .. keys[#keys]
  end
  if first ~= low then
    call('ZREMRANGEBYLEX', ALL, low, high)
    fold(low, high)
  end
end
