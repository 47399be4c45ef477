-- The layout of one session, in front of every script.
--
--   {P}{key}         the value, a plain string
--   {P}/meta         hash: layout, clock, epoch, holder, until, and the writers with their last number
--   {P}/keys         sorted set of all keys, score 0: byte order
--   {P}/in/          sorted set of all keys, score -position: newest first, ties in byte order
--   {P}/in/{folder}  the same for one folder, without the folder in front; only where it holds many
--   {P}/folders      sorted set of the folders that have such a set, score 0
--
-- No valid key begins with '/', so that ours and the values cannot meet. Strings are never compared
-- in Lua: its `<` follows the locale of the server, sorted sets follow the bytes.

local P = KEYS[1]
local META, ALL, BY_AGE, FOLDERS = P .. '/meta', P .. '/keys', P .. '/in/', P .. '/folders'
local LAYOUT = 1
local SMALL = 64    -- a folder gets a sorted set of its own when it holds more keys than this
local CHUNK = 1000  -- an even number well below what `unpack` takes
local call = redis.call

local function now()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

local function written(number)
  return string.format('%.0f', number)
end

-- The folder of a key or of a folder, with its '/' behind; '' at the top.
local function folder_of(name)
  return string.match(name, '^(.*/)[^/]') or ''
end

local function from(prefix)
  return prefix == '' and '-' or '[' .. prefix
end

-- Above all that begins with the prefix: no byte of UTF-8 is 255.
local function to(prefix)
  return prefix == '' and '+' or '(' .. prefix .. '\255'
end

-- Run a command over a list of any length.
local function each(command, list)
  for first = 1, #list, CHUNK do
    call(command, unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
end

local function each_of(command, key, list)
  for first = 1, #list, CHUNK do
    call(command, key, unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
end

-- True when a newer package wrote this session.
local function is_newer(layout)
  return layout and tonumber(layout) ~= LAYOUT
end
