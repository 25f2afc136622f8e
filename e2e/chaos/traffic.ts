import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import { answerOf, type Answer, type History } from '../deliveries/index.ts';

/** What the names of marks begin with: publications by which it is seen that all goes well again. */
export const MARK = 'mark-';
/** More than a publication may have: it is refused, and must not come. */
const TOO_LARGE = 33_000;
const TOO_LARGE_EVERY = 31;
/** After each answer. */
const PAUSE_MS = 40;
/** A publisher does not always wait for the answer. */
const BURST_EVERY = 20;
const BURST = ['a', 'b', 'c', 'd'];

/**
 * What a publication of the name `id` carries: of several lengths, and told apart by every byte of it. One that is too
 * large is named so.
 */
export function dataOf(id: string): { id: string; pad: string } {
  const length = id.endsWith('!') ? TOO_LARGE : (id.length * 7919) % 400;
  return { id, pad: id.repeat(Math.ceil(length / id.length)).slice(0, length) };
}

/** The id in what a subscriber got, in either form of the protocol; a name of its own if any of it was changed. */
export function idOf(data: unknown): string {
  const json = data instanceof Uint8Array ? Buffer.from(data).toString() : JSON.stringify(data);
  const { id } = JSON.parse(json) as { id?: unknown };
  if (typeof id === 'string' && json === JSON.stringify(dataOf(id))) return id;
  return `not as it was published: ${json.slice(0, 100)}`;
}

/** Publishes once, and notes what it was told. */
export async function publishOne(
  client: Centrifuge,
  history: History,
  what: { id: string; channel: string; binary: boolean },
): Promise<Answer> {
  const { id, channel, binary } = what;
  const data = dataOf(id);
  history.add({ kind: 'invoked', id, channel });
  try {
    await client.publish(channel, binary ? Buffer.from(JSON.stringify(data)) : data);
    history.add({ kind: 'answered', id, answer: 'acknowledged' });
    return 'acknowledged';
  } catch (error) {
    const answer = answerOf(error);
    const { code, message } = error as { code?: number; message?: string };
    history.add({ kind: 'answered', id, answer, note: `${code} ${message}, ${client.state}` });
    return answer;
  }
}

/** Publishes into all channels until it is stopped, into each on its own: one that hangs holds up no other. */
export class Publisher {
  readonly #stop = new AbortController();
  readonly #lanes: Promise<void>[];

  constructor(
    name: string,
    client: Centrifuge,
    binary: boolean,
    { history, channels }: { history: History; channels: readonly string[] },
  ) {
    this.#lanes = channels.map(async (channel) => {
      for (let n = 0; !this.#stop.signal.aborted; n += 1) {
        const one = (more = ''): Promise<Answer> =>
          publishOne(client, history, { id: `${name}-${channel}-${n}${more}`, channel, binary });
        if (n % BURST_EVERY === 0) await Promise.all(BURST.map((more) => one(more)));
        else await one(n % TOO_LARGE_EVERY === 0 ? '!' : '');
        await delay(PAUSE_MS);
      }
    });
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#lanes);
  }
}
