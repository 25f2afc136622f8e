/**
 * The replicator is killed again and again under writes: how many of the source's transactions did a watcher of the target
 * never see, see twice, or see in parts?
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import type { IWatchResponse } from 'etcd3';
import { waitFor } from '../../tools/index.ts';
import type { Contestant, Route } from './contestants.ts';
import { countFaults, KEYS_EACH } from './faults.ts';
import type { Faults, Seen } from './faults.ts';

/** How it is done. */
export interface CrashPlan {
  seconds: number;
  /** Seconds from one kill to the next. */
  every: number;
  /** Transactions a second that the source gets. */
  perSecond: number;
}

/** What came of it. */
export interface CrashRun extends Faults {
  kills: number;
  /** Transactions that the source acknowledged. */
  transactions: number;
}

/** Time for the target to come to the source's state after the last kill, milliseconds. */
const SETTLE_MS = 60_000;
/** Keys come again and again, so that a replicator that starts over with the present state has something to miss. */
const GROUPS = 50;

/** Kills and starts one contestant for the plan's time, while the source is written. */
export async function crashes(contestant: Contestant, route: Route, plan: CrashPlan): Promise<CrashRun> {
  let runner = await contestant.start(route);
  const sight = await Watcher.open(route.target, route.prefix);
  const writing = write(route, plan);
  let kills = 0;
  const until = performance.now() + plan.seconds * 1000;
  try {
    while (performance.now() + plan.every * 1000 <= until) {
      await delay(plan.every * 1000);
      await runner.kill();
      kills += 1;
      runner = await contestant.restart(route);
    }
    const transactions = await writing;
    await waitFor('the target to come to the last state', () => sight.hasLast(transactions), {
      timeoutMs: SETTLE_MS,
    }).catch(() => undefined); // One that never does has skipped what it lacks: that is what is counted.
    return { kills, transactions, ...countFaults(transactions, sight.seen) };
  } finally {
    sight.close();
    await runner.end();
  }
}

/** Transactions of some keys, one after another, evenly. Returns how many. */
async function write({ source, prefix }: Route, { seconds, perSecond }: CrashPlan): Promise<number> {
  const client = new Etcd3({ hosts: source });
  const began = performance.now();
  let written = 0;
  try {
    for (const total = seconds * perSecond; written < total; written++) {
      const early = (written / perSecond) * 1000 - (performance.now() - began);
      if (early > 5) await delay(early);
      if (performance.now() - began > seconds * 1000) break;
      const success = Array.from({ length: KEYS_EACH }, (_, n) => ({
        request_put: {
          key: Buffer.from(`${prefix}${written % GROUPS}/${n}`),
          value: Buffer.from(String(written)),
        },
      }));
      await client.kv.txn({ compare: [], success, failure: [] });
    }
    return written;
  } finally {
    client.close();
  }
}

/** Sees all that the target gets under a prefix. */
class Watcher {
  readonly seen: Seen[] = [];
  readonly #last = new Map<number, number>();
  #close: () => void = () => undefined;

  static async open(endpoint: string, prefix: string): Promise<Watcher> {
    const watcher = new Watcher();
    const client = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
    const stream = await client.watchClient.watch();
    watcher.#close = () => {
      stream.cancel();
      client.close();
    };
    stream.on('error', () => undefined);
    const created = new Promise<void>((resolve) => {
      stream.on('data', (response: IWatchResponse) => {
        if (response.created) resolve();
        for (const event of response.events) watcher.#add(event, prefix);
      });
    });
    const end = Buffer.from(prefix);
    end[end.length - 1] = (end.at(-1) ?? 0) + 1;
    stream.write({ create_request: { key: Buffer.from(prefix), range_end: end, fragment: true } });
    await created;
    return watcher;
  }

  #add({ type, kv }: IWatchResponse['events'][number], prefix: string): void {
    const [group, key] = kv.key.toString().slice(prefix.length).split('/');
    if (type !== 'Put' || key === undefined) return;
    const transaction = Number(kv.value.toString());
    this.seen.push({ transaction, key, revision: kv.mod_revision });
    this.#last.set(Number(group), transaction);
  }

  /** Whether the last transaction of each group has come. */
  hasLast(transactions: number): boolean {
    const first = Math.max(0, transactions - GROUPS);
    return Array.from({ length: transactions - first }, (_, n) => first + n).every(
      (transaction) => this.#last.get(transaction % GROUPS) === transaction,
    );
  }

  close(): void {
    this.#close();
  }
}
