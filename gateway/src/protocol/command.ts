/** Where a client is in a channel's stream. */
export interface StreamPosition {
  /** Number of the last publication that it has; 0 is before the first. */
  offset: number;
  /** Identity of the stream: offsets of different epochs have nothing to do with each other. Empty: any. */
  epoch: string;
}

export interface ConnectRequest {
  token: string;
}
export interface SubscribeRequest {
  channel: string;
  /** Set: send what came after this position. */
  recover: StreamPosition | undefined;
}
export interface PublishRequest {
  channel: string;
  /** Any JSON value. */
  data: unknown;
}
export interface HistoryRequest {
  channel: string;
  /** 0: only the position. Negative: as many as there are. */
  limit: number;
  since: StreamPosition | undefined;
  reverse: boolean;
}

/** A command that was read and checked. `id` is 0 only where no reply is expected. */
export type Command =
  | { method: 'pong' }
  | { method: 'send' }
  | { method: 'connect'; id: number; request: ConnectRequest }
  | { method: 'refresh'; id: number; request: { token: string } }
  | { method: 'subscribe'; id: number; request: SubscribeRequest }
  | { method: 'unsubscribe'; id: number; request: { channel: string } }
  | { method: 'publish'; id: number; request: PublishRequest }
  | { method: 'history'; id: number; request: HistoryRequest }
  /** Known to the protocol, not offered here. */
  | { method: 'unavailable'; id: number }
  | { method: 'unknown'; id: number };

/** A frame that breaks the protocol; the connection ends with DISCONNECT.badRequest. */
export class MalformedFrameError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'MalformedFrameError';
  }
}

/** More commands than this in one frame break the protocol: a reconnecting client needs one for each subscription. */
export const MAX_COMMANDS_PER_FRAME = 512;

const ID_MAX = 0xffff_ffff;
const UNAVAILABLE = ['presence', 'presence_stats', 'rpc', 'sub_refresh', 'ping'];

type Json = Record<string, unknown>;

/**
 * Reads the commands of one frame of the JSON protocol: JSON objects, one for each line.
 * Throws {@link MalformedFrameError} unless every line is a command.
 */
export function decodeFrame(frame: string): Command[] {
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
  } catch {
    throw new MalformedFrameError('not JSON');
  }
  if (!isObject(parsed)) throw new MalformedFrameError('not an object');
  if (Object.keys(parsed).length === 0) return { method: 'pong' };
  if (parsed['send'] !== undefined) return { method: 'send' };
  const id = parsed['id'];
  if (!isUint(id) || id === 0 || id > ID_MAX) throw new MalformedFrameError('no id');
  return decodeRequest(id, parsed);
}

function decodeRequest(id: number, command: Json): Command {
  for (const [method, decode] of Object.entries(DECODERS)) {
    const request = command[method];
    if (request === undefined) continue;
    if (!isObject(request)) throw new MalformedFrameError(`${method} is not an object`);
    return decode(id, request);
  }
  return { method: UNAVAILABLE.some((name) => command[name] !== undefined) ? 'unavailable' : 'unknown', id };
}

const DECODERS: Record<string, (id: number, request: Json) => Command> = {
  connect: (id, request) => ({ method: 'connect', id, request: { token: text(request, 'token') } }),
  refresh: (id, request) => ({ method: 'refresh', id, request: { token: text(request, 'token') } }),
  subscribe: (id, request) => ({
    method: 'subscribe',
    id,
    request: {
      channel: text(request, 'channel'),
      recover: request['recover'] === true ? position(request) : undefined,
    },
  }),
  unsubscribe: (id, request) => ({
    method: 'unsubscribe',
    id,
    request: { channel: text(request, 'channel') },
  }),
  publish: (id, request) => {
    if (request['data'] === undefined) throw new MalformedFrameError('publish without data');
    return { method: 'publish', id, request: { channel: text(request, 'channel'), data: request['data'] } };
  },
  history: (id, request) => {
    const since = request['since'];
    if (since !== undefined && !isObject(since)) throw new MalformedFrameError('since is not an object');
    const limit = request['limit'] ?? 0;
    if (!Number.isSafeInteger(limit)) throw new MalformedFrameError('limit is not a whole number');
    return {
      method: 'history',
      id,
      request: {
        channel: text(request, 'channel'),
        limit: limit as number,
        since: since && position(since),
        reverse: request['reverse'] === true,
      },
    };
  },
};

function position(request: Json): StreamPosition {
  const offset = request['offset'] ?? 0;
  if (!isUint(offset)) throw new MalformedFrameError('offset is not a whole number');
  return { offset, epoch: text(request, 'epoch') };
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
