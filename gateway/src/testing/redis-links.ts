/**
 * A program for tests: the gateway's two links to Redis. Each line of its standard input is a command, each line of its standard
 * output what came of it, as JSON. `main.js <url>`.
 */
import { createInterface } from 'node:readline';
import { RedisLink } from '../delivery/index.ts';
import type { Log } from '../log/index.ts';

/** `write`: writes the key `key` over the link that there is. `chatter`: the same from now on, all the time. */
export type LinksCommand = 'write' | 'chatter';

/** What came of a command. */
export interface LinksOutcome {
  tookMs: number;
  error?: string;
}

/** Whoever has no answer by then gets none, milliseconds. */
const GIVE_UP_MS = 2_000;
const RETRY_MS = 20;
/** Between two writes of who chatters, milliseconds. */
const CHATTER_MS = 200;

const url = process.argv[2] ?? '';
const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const commands = new RedisLink({
  redis: { url },
  name: 'commands',
  log,
  prepare: async () => undefined,
  connected: nothing,
  failed: nothing,
});
commands.start();

const run: Record<LinksCommand, () => Promise<void>> = {
  async write() {
    const began = performance.now();
    for (;;) {
      try {
        await commands.client.set('key', 'value');
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
};

for await (const line of createInterface({ input: process.stdin })) {
  const began = performance.now();
  const outcome: LinksOutcome = { tookMs: 0 };
  await run[line as LinksCommand]().catch((error: unknown) => (outcome.error = String(error)));
  outcome.tookMs = performance.now() - began;
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit();
