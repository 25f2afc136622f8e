import { MalformedFrameError, MAX_COMMANDS_PER_FRAME } from './command.ts';
import type { Command, Method, Requests, StreamPosition } from './command.ts';
import { Payload } from './payload.ts';

const ID_MAX = 0xffff_ffff;

type Json = Record<string, unknown>;

/** Reads the commands of one frame of the JSON form: JSON objects, one for each line. See `Codec.decode`. */
export function decodeJson(frame: string): Command[] {
  const commands: Command[] = [];
  for (const line of frame.split('\n')) {
    if (line.trim() === '') continue;
    if (commands.length === MAX_COMMANDS_PER_FRAME) throw new MalformedFrameError('too many commands');
    commands.push(decodeCommand(line));
  }
  if (commands.length === 0) throw new MalformedFrameError('no command');
  return commands;
}

function decodeCommand(line: string): Command {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw new MalformedFrameError('not JSON', { cause });
  }
  if (!isObject(parsed)) throw new MalformedFrameError('not an object');
  if (Object.keys(parsed).length === 0) return { method: 'pong' };
  const send = parsed['send'];
  if (send !== undefined) return { method: 'send', data: isObject(send) ? payload(send) : undefined };
  const id = parsed['id'];
  if (!isUint(id) || id === 0 || id > ID_MAX) throw new MalformedFrameError('no id');
  return decodeRequest(id, parsed);
}

function decodeRequest(id: number, command: Json): Command {
  for (const [method, decode] of Object.entries(DECODERS)) {
    const request = command[method];
    if (request === undefined) continue;
    if (!isObject(request)) throw new MalformedFrameError(`${method} is not an object`);
    return { method, id, request: decode(request) } as Command;
  }
  return { method: 'unknown', id };
}

const channelOf = (request: Json): { channel: string } => ({ channel: text(request, 'channel') });

/** Where a command has several, the first of these counts. */
const DECODERS: { [M in Method]: (request: Json) => Requests[M] } = {
  connect: (request) => ({ token: text(request, 'token'), data: payload(request), subs: subsOf(request) }),
  refresh: (request) => ({ token: text(request, 'token') }),
  subscribe: (request) => ({
    ...channelOf(request),
    token: text(request, 'token'),
    recover: recoverOf(request),
    data: payload(request),
    joinLeave: request['join_leave'] === true,
  }),
  unsubscribe: channelOf,
  publish: (request) => {
    const data = payload(request);
    if (data === undefined) throw new MalformedFrameError('publish without data');
    return { ...channelOf(request), data };
  },
  history: (request) => {
    const since = request['since'];
    if (since !== undefined && !isObject(since)) throw new MalformedFrameError('since is not an object');
    const limit = request['limit'] ?? 0;
    if (!Number.isSafeInteger(limit)) throw new MalformedFrameError('limit is not a whole number');
    return {
      ...channelOf(request),
      limit: limit as number,
      since: since && position(since),
      reverse: request['reverse'] === true,
    };
  },
  presence: channelOf,
  presence_stats: channelOf,
  rpc: (request) => ({ method: text(request, 'method'), data: payload(request) }),
  sub_refresh: (request) => ({ ...channelOf(request), token: text(request, 'token') }),
  ping: () => ({}),
};

function subsOf({ subs }: Json): Map<string, StreamPosition | undefined> {
  if (subs === undefined) return new Map();
  if (!isObject(subs)) throw new MalformedFrameError('subs is not an object');
  return new Map(
    Object.entries(subs).map(([channel, request]) => {
      if (!isObject(request)) throw new MalformedFrameError('a member of subs is not an object');
      return [channel, recoverOf(request)];
    }),
  );
}

function recoverOf(request: Json): StreamPosition | undefined {
  return request['recover'] === true ? position(request) : undefined;
}

function position(request: Json): StreamPosition {
  const offset = request['offset'] ?? 0;
  if (!isUint(offset)) throw new MalformedFrameError('offset is not a whole number');
  return { offset, epoch: text(request, 'epoch') };
}

/** The member `data`. */
function payload({ data }: Json): Payload | undefined {
  if (data === undefined) return undefined;
  try {
    return Payload.ofJson(data);
  } catch (cause) {
    throw new MalformedFrameError('data is nested too deeply', { cause });
  }
}

/** A text member; left out means empty, as in Protobuf. */
function text(request: Json, name: string): string {
  const value = request[name] ?? '';
  if (typeof value !== 'string') throw new MalformedFrameError(`${name} is not a text`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isUint(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
