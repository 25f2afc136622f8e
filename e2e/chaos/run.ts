import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import { sdk } from '../../gateway/src/testing/index.ts';
import type { Runtime } from '../../gateway/src/testing/index.ts';
import { check, describeViolations, History } from '../deliveries/index.ts';
import { waitFor } from '../tools/index.ts';
import { suffer } from './faults.ts';
import { describePlan, planOf } from './plan.ts';
import type { Fault, FaultKind } from './plan.ts';
import { BareSubscriber, SdkSubscriber } from './subscribers.ts';
import type { Subscriber } from './subscribers.ts';
import { idOf, MARK, Publisher, publishOne } from './traffic.ts';
import { HISTORY_SIZE, startWorld } from './world.ts';
import type { Servers, World } from './world.ts';

/** How long a platform may take to be as before after the last fault. */
const SETTLE_MS = 60_000;
/** Each broken connection is noticed after this time, by pings that don't come. */
const PING_DELAY_MS = 1_500;

export interface RunOptions {
  seed: number;
  /** Each has every fault once; about 14 s. */
  rounds: number;
  /** Default: all. */
  faults?: readonly FaultKind[] | undefined;
  /** One gateway for each. */
  runtimes: readonly Runtime[];
}

/** What came of a run. */
export interface Outcome {
  seed: number;
  plan: readonly Fault[];
  history: History;
  /** By gateway: JSON lines. */
  logs: readonly string[][];
  /** Empty: it went well. */
  wrong: string;
  figures: string;
}

/** Lets a platform suffer what the seed says, under traffic, and checks what its clients saw. */
export async function run(
  servers: Servers,
  { seed, rounds, runtimes, faults }: RunOptions,
): Promise<Outcome> {
  const history = new History();
  const complaints: string[] = [];
  const world = await startWorld(servers, runtimes);
  const cast = await Cast.enter(world, history, (what) => void complaints.push(what));
  const sizes = {
    brokers: servers.backends.kafka.brokers.length,
    gateways: world.places.length,
    subscribers: cast.subscribers.length,
  };
  const plan = planOf(seed, rounds, sizes, faults);
  let settled = '';
  try {
    await cast.settle();
    const complain = (what: string): void => void complaints.push(what);
    await perform(plan, (fault) =>
      suffer({ world, history, subscribers: cast.subscribers, complain }, fault),
    );
    await cast.stopPublishing();
    const began = performance.now();
    await cast.settle();
    settled = `, settled in ${((performance.now() - began) / 1000).toFixed(1)} s`;
    await cast.readHistory();
  } catch (error) {
    complaints.push(error instanceof Error ? error.message : String(error));
  } finally {
    await cast.exit();
    await world.stop();
  }
  for (const [index, place] of world.places.entries())
    complaints.push(...place.complaints.map((what) => `gateway ${index} on ${place.runtime}: ${what}`));
  const violations = check(history.events, { historySize });
  const wrong = [...complaints, describeViolations(violations)].filter((text) => text !== '').join('\n');
  const logs = world.places.map((place) => place.logs);
  return { seed, plan, history, logs, wrong, figures: `${figuresOf(history)}${settled}` };
}

/** A run told for those who must find out what was wrong. Writes the history and the gateways' logs into `folder`. */
export function report({ seed, plan, history, logs, wrong }: Outcome, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly string[]): string => {
    const file = join(folder, `chaos-${seed}-${name}.jsonl`);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return file;
  };
  const files = [
    write(
      'history',
      history.events.map((event) => JSON.stringify(event)),
    ),
    ...logs.map((lines, index) => write(`gateway-${index}`, lines)),
  ];
  return `seed ${seed} went wrong:\n${wrong}\n\nits faults:\n${describePlan(plan)}\n\n${files.join('\n')}\n`;
}

/**
 * Starts each fault in its time, or when the one before it on the same thing is mended, if that takes longer. Resolves
 * when all are mended. Rejects when one could not be.
 */
async function perform(plan: readonly Fault[], deed: (fault: Fault) => Promise<void>): Promise<void> {
  const began = performance.now();
  const mended = new Map<string, Promise<void>>();
  for (const fault of plan) {
    const before = mended.get(fault.thing);
    const after = (async () => {
      await delay(fault.at - (performance.now() - began));
      await before;
      await deed(fault);
    })();
    // It is looked at below.
    after.catch(() => undefined);
    mended.set(fault.thing, after);
  }
  const ends = await Promise.allSettled(mended.values());
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** All who take part, by either form of the protocol. */
class Cast {
  readonly subscribers: readonly Subscriber[];
  readonly #world: World;
  readonly #history: History;
  readonly #clients: Centrifuge[] = [];
  #publishers: Publisher[] = [];
  #marks = 0;

  private constructor(world: World, history: History, clients: Centrifuge[]) {
    this.#world = world;
    this.#history = history;
    this.#clients = clients;
    const [one, two, three] = clients;
    if (!one || !two || !three) throw new Error('too few clients');
    this.subscribers = [
      new SdkSubscriber('json', one, history, world.channels),
      new SdkSubscriber('protobuf', two, history, world.channels),
      new SdkSubscriber('json-too', three, history, world.channels),
      new BareSubscriber('bare', world, history, false),
      new BareSubscriber('bare-by-token', world, history, true),
    ];
  }

  /** `gaveUp`: an SDK was told to stay away, which nobody here has deserved. */
  static async enter(world: World, history: History, gaveUp: (what: string) => void): Promise<Cast> {
    const forms = ['json', 'protobuf', 'json', 'json', 'protobuf'] as const;
    const clients = await Promise.all(
      forms.map((form, index) =>
        sdk(world.platform, turned(world.places, index), {
          user: `client ${index}`,
          form,
          timeout: 2_500,
          maxServerPingDelay: PING_DELAY_MS,
        }),
      ),
    );
    for (const [index, client] of clients.entries())
      client.on('disconnected', ({ code, reason }) => {
        // 0: we told it to leave.
        if (code !== 0) gaveUp(`the SDK of client ${index} was told to stay away: ${code} ${reason}`);
      });
    const cast = new Cast(world, history, clients);
    for (const one of cast.subscribers) if (one instanceof BareSubscriber) await one.begin();
    cast.#publishers = [3, 4].map((index) => {
      const client = clients[index] as Centrifuge;
      client.connect();
      return new Publisher(`p${index}`, client, forms[index] === 'protobuf', {
        history,
        channels: world.channels,
      });
    });
    return cast;
  }

  /** Waits until each subscriber has got, in each channel, something that was published from now on. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    await Promise.all(this.#world.places.map((place) => place.ready()));
    for (;;) {
      const missing = await this.#markAll();
      if (missing.length === 0) return;
      if (performance.now() > deadline)
        throw new Error(`not as before ${SETTLE_MS / 1000} s after the last fault: ${missing.join(', ')}`);
    }
  }

  async stopPublishing(): Promise<void> {
    await Promise.all(this.#publishers.map((publisher) => publisher.stop()));
  }

  async readHistory(): Promise<void> {
    const client = this.#clients[3];
    const whole = this.#world.channels.filter((channel) => channel.startsWith('chat:'));
    for (const channel of whole) await this.#readChannel(client as Centrifuge, channel);
  }

  async exit(): Promise<void> {
    await this.stopPublishing();
    for (const subscriber of this.subscribers) subscriber.leave();
    for (const client of this.#clients) client.disconnect();
  }

  /** Publishes a mark into each channel and gives it two seconds. What did not come is left. */
  async #markAll(): Promise<string[]> {
    const round = this.#marks++;
    const client = this.#clients[3] as Centrifuge;
    const marks = await Promise.all(
      this.#world.channels.map(async (channel) => {
        const id = `${MARK}${round}-${channel}`;
        const answer = await publishOne(client, this.#history, { id, channel, binary: false });
        return { channel, id, answer };
      }),
    );
    const missing = (): string[] =>
      marks.flatMap(({ channel, id, answer }) => {
        if (answer !== 'acknowledged') return [`nothing can be published into ${channel}`];
        return this.subscribers
          .filter(({ lastMark }) => lastMark.get(channel) !== id)
          .map(({ name }) => `${name} hears nothing of ${channel}`);
      });
    await waitFor('all marks', () => missing().length === 0, { timeoutMs: 2_000, intervalMs: 25 }).catch(
      () => undefined,
    );
    return missing();
  }

  async #readChannel(client: Centrifuge, channel: string): Promise<void> {
    let since: { offset: number; epoch: string } = { offset: 0, epoch: '' };
    for (;;) {
      const { publications, epoch } = await client.history(channel, { limit: 1_000, since });
      for (const { data, offset } of publications) {
        const at = { epoch, offset: Number(offset) };
        this.#history.add({ kind: 'stored', channel, id: idOf(data), at });
        since = { offset: at.offset, epoch };
      }
      if (publications.length === 0) return;
    }
  }
}

function turned<T>(items: readonly T[], by: number): T[] {
  return items.map((_, index) => items[(index + by) % items.length] as T);
}

function historySize(channel: string): number {
  return channel.startsWith('news:') ? HISTORY_SIZE.news : HISTORY_SIZE.chat;
}

function figuresOf({ events }: History): string {
  const count = (is: (event: History['events'][number]) => boolean): number => events.filter(is).length;
  const published = count(({ kind }) => kind === 'invoked');
  const acknowledged = count((event) => event.kind === 'answered' && event.answer === 'acknowledged');
  const delivered = count(({ kind }) => kind === 'delivered');
  const recovered = count((event) => event.kind === 'subscribed' && event.recovery === 'recovered');
  const lost = count((event) => event.kind === 'subscribed' && event.recovery === 'lost');
  return `${acknowledged} of ${published} publications acknowledged, ${delivered} delivered, ${recovered} recoveries, ${lost} told that they can't`;
}
