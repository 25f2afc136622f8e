/**
 * Presence in Redis. For each channel there is one hash `index`: gateway → `<version> <expiry>`; and for each gateway
 * in it a hash `members`: client → JSON of its ClientInfo. What has expired counts as not there. Time is the server's,
 * Unix milliseconds, so the gateways' clocks don't matter.
 */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function part(text)
  if not text then return nil end
  local version, expiry = string.match(text, '^(%d+) (%d+)$')
  if tonumber(expiry) <= now then return nil end
  return version
end
local function expiry(ttl) return string.format('%.0f', now + ttl) end
`;

/**
 * Changes a gateway's part of one channel, if it is at the version that the caller believes.
 *
 * KEYS: index, members
 * ARGV: 1 gateway, 2 version before (empty: forget what is there), 3 version after, 4 milliseconds to live,
 *   then client and info of each change (info empty: the client went)
 * Returns 1, or 0 if it is at another version and nothing was done.
 */
export const UPDATE_PRESENCE = `${NOW}
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
elseif part(redis.call('HGET', KEYS[1], ARGV[1])) ~= ARGV[2] then
  return 0
end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[i])
  else redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. expiry(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`;

/**
 * Lets a gateway's parts of many channels live on, whose members are not sent again for it.
 *
 * KEYS: index and members of each channel
 * ARGV: 1 gateway, 2 milliseconds to live, then the version of each channel
 * Returns which of them, from 1, are not at their version, or have lost their members.
 */
export const KEEP_PRESENCE = `${NOW}
local lost = {}
for i = 1, #KEYS / 2 do
  local index, members, version = KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 + i]
  if part(redis.call('HGET', index, ARGV[1])) == version and redis.call('PEXPIRE', members, ARGV[2]) == 1 then
    redis.call('HSET', index, ARGV[1], version .. ' ' .. expiry(ARGV[2]))
    redis.call('PEXPIRE', index, ARGV[2])
  else
    lost[#lost + 1] = i
  end
end
return lost
`;

/**
 * Reads the clients of a channel, or counts them. A ClientInfo begins with the user, in the form that JSON.stringify
 * gives it: that the text is equal means that the user is. A quote inside it has a backslash, so none ends it early.
 *
 * KEYS: index
 * ARGV: 1 what a key of members begins with, 2 channel, 3 clients at most, 4 `list` or `stats`
 * Returns how many clients there are; then, unless they are too many, each of them, or how many users.
 */
export const READ_PRESENCE = `${NOW}
local parts = redis.call('HGETALL', KEYS[1])
local members, total = {}, 0
for i = 1, #parts, 2 do
  local key = ARGV[1] .. parts[i] .. ':' .. ARGV[2]
  if part(parts[i + 1]) then
    members[#members + 1] = key
    total = total + redis.call('HLEN', key)
  else
    redis.call('HDEL', KEYS[1], parts[i])
    redis.call('DEL', key)
  end
end
local found = { total }
if total > tonumber(ARGV[3]) then return found end
local users, count = {}, 0
for _, key in ipairs(members) do
  for _, info in ipairs(redis.call('HVALS', key)) do
    if ARGV[4] == 'list' then
      found[#found + 1] = info
    else
      local user = string.match(info, '^{"user":(".-"),"client"') or info
      if not users[user] then count = count + 1 end
      users[user] = true
    end
  end
end
if ARGV[4] == 'stats' then found[2] = count end
return found
`;
