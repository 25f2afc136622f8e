/** Most idempotency keys that are kept of one channel; over it, the oldest are forgotten before their time. */
const MAX_ONCE = 100_000;

/**
 * Lua that takes note of an idempotency key and leaves in `before` when a record had it last (false: it is new). The
 * arguments are Lua. Keys are kept for two windows of the records' own time: clocks of two writers may differ by one.
 */
const noteOnce = (
  key: string,
  id: string,
  at: string,
  { windowMs, seconds }: Record<string, string>,
): string => `
  before = redis.call('ZSCORE', ${key}, ${id})
  if not before or tonumber(before) < tonumber(${at}) then redis.call('ZADD', ${key}, ${at}, ${id}) end
  redis.call('ZREMRANGEBYSCORE', ${key}, '-inf', string.format('(%.0f', ${at} - 2 * ${windowMs}))
  redis.call('ZREMRANGEBYRANK', ${key}, 0, -${MAX_ONCE + 1})
  redis.call('EXPIRE', ${key}, ${seconds})`;

/**
 * Puts one Kafka record into its channel's stream and tells the gateways, all or nothing, unless it is there already.
 *
 * KEYS: positions, meta, stream, once
 * ARGV: 1 `<topic>/<partition>`, 2 the record's offset, 3 the offset before it as the caller knows it (-1: none),
 *   4 an epoch for a new channel, 5 the entry (empty: only take note of the offset), 6 stream length, 7 its seconds to
 *   live, 8 the meta's, 9 pub/sub channel, 10 partition, and for a record with an idempotency key: 11 its id, 12 the record's
 *   time, 13 the window, milliseconds
 * Returns ok, seen (it was there), doubled (its key was, in the window: only the offset was taken note of), or what the caller must repair first: lost (Redis was emptied), elsewhere (what is
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
if ARGV[11] then
  local before${noteOnce('KEYS[4]', 'ARGV[11]', 'ARGV[12]', { windowMs: 'ARGV[13]', seconds: 'ARGV[8]' })}
  if before and ARGV[12] - before <= tonumber(ARGV[13]) then return 'doubled' end
end
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
 * Takes note of the idempotency key of a record that is not carried any more: it is older than the history.
 *
 * KEYS: once
 * ARGV: 1 its id, 2 the record's time, 3 the window, milliseconds, 4 the keys' seconds to live
 */
export const NOTE = `
local before${noteOnce('KEYS[1]', 'ARGV[1]', 'ARGV[2]', { windowMs: 'ARGV[3]', seconds: 'ARGV[4]' })}
`;

/**
 * Takes note of the id of the log that a source's position is of. Where there is a position, only if none is noted: it would
 * be that of another log.
 *
 * KEYS: positions, logs
 * ARGV: 1 `<topic>/<partition>`, 2 the id
 */
export const NOTE_LOG = `
local known = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
redis.call(known and 'HSETNX' or 'HSET', KEYS[2], ARGV[1], ARGV[2])
`;

/**
 * Forgets a source's position, unless another gateway did so and the source is further by now.
 *
 * KEYS: positions, logs
 * ARGV: 1 `<topic>/<partition>`, 2 its position as the caller knows it (empty: any), 3 the id that is noted as the caller knows
 *   it (empty: any), 4 the id of the log that it is of from now on (empty: as before)
 * Returns 1, or 0 if it is not what the caller knows.
 */
export const FORGET = `
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[4]) end
return 1
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
