/**
 * A program for tests: the gateway's two links to Redis, with a stream's writer and a feed on them. Each line of its standard input is
 * a command, each line of its standard output what came of it, as JSON. `main.js <options>`.
 */
import { createInterface } from 'node:readline';
import { RedisFeed, redisKeys, RedisLink, RedisStreams } from '../delivery/index.ts';
import type { Log } from '../log/index.ts';
import { Names } from '../names/index.ts';

/** Where Redis is. Each name is this machine. */
export interface LinksOptions {
  url: string;
  /** Folder of the authority's certificate. */
  tlsDir?: string;
}

/**
 * `write`: appends the next record to the stream of `chat:a`. `chatter`: writes from now on, all the time. `listen`: takes what
 * is told of the stream. `look`: says what there is.
 */
export type LinksCommand = 'write' | 'chatter' | 'listen' | 'look';

/** What came of a command. */
export interface LinksOutcome {
  error?: string;
  /** Data of the messages that the feed has brought. */
  heard: string[];
  /** Connections that were lost, or could not be made, of both links. */
  failures: number;
}

/** Whoever has no answer by then gets none, milliseconds. */
const GIVE_UP_MS = 2_000;
const RETRY_MS = 20;
/** Between two writes of who chatters, milliseconds. */
const CHATTER_MS = 200;

const { url, tlsDir } = JSON.parse(process.argv[2] ?? '') as LinksOptions;
const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const keys = redisKeys('test', 'p');
const heard: string[] = [];
let failures = 0;
let offset = 0;
const common = {
  redis: { url, ...(tlsDir !== undefined && { tlsDir }) },
  log,
  names: new Names({ ask: async () => [{ address: '127.0.0.1', family: 4 }], now: () => performance.now() }),
  failed: () => {
    failures += 1;
  },
};
const commands: RedisLink = new RedisLink({
  ...common,
  name: 'commands',
  prepare: (client) => streams.prepare(client),
  connected: () => feedLink.follow(commands),
  leaving: (to) => feedLink.go(to),
});
const feedLink: RedisLink = new RedisLink({
  ...common,
  name: 'feed',
  prepare: (client) => feed.prepare(client),
  connected: nothing,
});
const streams = new RedisStreams(commands, keys, () => ({ size: 100, seconds: 60 }));
const feed = new RedisFeed(feedLink, keys, {
  message: (_, { data }) => heard.push(data.text),
  announcement: nothing,
});
commands.start();
feedLink.start();

const run: Record<LinksCommand, () => Promise<void>> = {
  async write() {
    const publication = { channel: 'chat:a', entry: `0 ${offset} 0 0 json\n\n${offset}`, once: undefined };
    const record = { source: 'p.chat/0', kafka: { partition: 0, offset }, previous: offset - 1, publication };
    const began = performance.now();
    for (;;) {
      try {
        const [outcome] = await streams.append([record]);
        if (outcome !== 'ok') throw new Error(outcome);
        offset += 1;
        return;
      } catch (error) {
        if (performance.now() - began > GIVE_UP_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  },
  async chatter() {
    setInterval(() => {
      if (commands.ready) commands.client.set('chatter', 'value').catch(nothing);
    }, CHATTER_MS);
  },
  listen: () => feed.listen('chat:a'),
  look: async () => undefined,
};

for await (const line of createInterface({ input: process.stdin })) {
  let error: string | undefined;
  await run[line as LinksCommand]().catch((why: unknown) => (error = String(why)));
  const outcome: LinksOutcome = { ...(error !== undefined && { error }), heard, failures };
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit();
