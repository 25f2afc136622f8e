/**
 * Puts one Kafka record into its channel's stream and tells the gateways, all or nothing, unless it is there already.
 *
 * KEYS: positions, meta, stream
 * ARGV: 1 `<topic>/<partition>`, 2 the record's offset, 3 the offset before it as the caller knows it (-1: none),
 *   4 an epoch for a new channel, 5 the entry (empty: only take note of the offset), 6 stream length, 7 its seconds to
 *   live, 8 the meta's, 9 pub/sub channel, 10 partition
 * Returns ok, seen (it was there), or what the caller must repair first: lost (Redis was emptied), elsewhere (what is
 *   there is not the offset before it: a promoted replica goes back in time).
 */
export const APPEND = `
local last = redis.call('HGET', KEYS[1], ARGV[1])
if last then
  if tonumber(last) >= tonumber(ARGV[2]) then return 'seen' end
  if tonumber(last) ~= tonumber(ARGV[3]) then return 'elsewhere' end
elseif ARGV[3] ~= '-1' then
  return 'lost'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[5] == '' then return 'ok' end
local epoch = redis.call('HGET', KEYS[2], 'e')
if not epoch then
  epoch = ARGV[4]
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[2], 'e', epoch)
end
local offset = redis.call('HINCRBY', KEYS[2], 'o', 1)
redis.call('HSET', KEYS[2], 'k', ARGV[10] .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[8])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], string.format('%.0f-0', offset), 'm', ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[7])
redis.call('PUBLISH', ARGV[9], epoch .. ' ' .. string.format('%.0f', offset) .. ' ' .. ARGV[5])
return 'ok'
`;

/**
 * Reads a channel's position and a part of its stream at one moment. A channel without a position gets one, so that a
 * client that subscribes before the first publication can recover from there.
 *
 * KEYS: meta, stream
 * ARGV: 1 an epoch for a new channel, 2 the meta's seconds to live, 3 entries at most (0: none), 4 after (reverse:
 *   before) this offset (empty: from the end), 5 reverse: 1
 * Returns epoch, offset, Kafka position or '', and the entries: offset, entry, offset, entry, …
 */
export const READ = `
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0)
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
local head = redis.call('HMGET', KEYS[1], 'o', 'k')
local found = {}
if ARGV[3] ~= '0' then
  local bound = ARGV[4] ~= '' and '(' .. ARGV[4] .. '-0'
  local entries
  if ARGV[5] == '1' then
    entries = redis.call('XREVRANGE', KEYS[2], bound or '+', '-', 'COUNT', ARGV[3])
  else
    entries = redis.call('XRANGE', KEYS[2], bound or '-', '+', 'COUNT', ARGV[3])
  end
  for _, entry in ipairs(entries) do
    found[#found + 1] = string.match(entry[1], '^%d+')
    found[#found + 1] = entry[2][2]
  end
end
return { epoch, head[1] or '0', head[2] or '', found }
`;
