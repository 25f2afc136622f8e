import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isOver } from '../../operator/src/failover/index.ts';
import { etcdAdmin } from '../../operator/src/platform/etcd-admin.ts';
import { redisAdmin } from '../../operator/src/platform/redis-admin.ts';
import { check, PROMISES, describeViolations, HomesHistory, measure } from '../homes/index.ts';
import type { Measured, Noted, Store } from '../homes/index.ts';
import { waitFor } from '../tools/index.ts';
import { Network, ZONES } from './network.ts';
import type { Apartness, Zone } from './network.ts';
import { Cluster } from './operators.ts';
import { describeEpisodes } from './plan.ts';
import type { Episode, Gap } from './plan.ts';
import { Replicators } from './replicators.ts';
import { Stores } from './stores.ts';
import { takeTurn } from './turns.ts';
import { PREFIX, Writers } from './writers.ts';

/** How long all may take to be at rest after an episode, and to be equal at the end; milliseconds. */
const SETTLE_MS = 60_000;
/** How long a failover may take to end, whatever is cut; milliseconds. */
const END_MS = 180_000;
/** Of a failover that waits for what is cut: then it turns back. A busy machine takes most of it for what waits for nothing. */
const TIMEOUT = '45s';
/** The same of one that is to run out of it: longer than a drain, whose last clients have three seconds to arrive. */
const SHORT = '15s';

export interface Outcome {
  seed: number;
  episodes: readonly Episode[];
  history: HomesHistory;
  /** Of operators and replicators. */
  logs: readonly string[];
  /** How each failover ended. */
  ends: readonly string[];
  /** Empty: it went well. */
  wrong: string;
  measured: { etcd: Measured; redis: Measured };
}

/** Moves the home of a platform with real stores as the episodes say, under writes, and checks what was written. */
export async function run(seed: number, episodes: readonly Episode[]): Promise<Outcome> {
  const history = new HomesHistory();
  const stage = await Stage.build(history);
  const complaints: string[] = [];
  const ends: string[] = [];
  try {
    for (const [index, episode] of episodes.entries())
      ends.push(await stage.play(`move-${index + 1}`, episode));
    await stage.conclude();
  } catch (error) {
    complaints.push(error instanceof Error ? error.message : String(error));
  } finally {
    await stage.clear();
  }
  const violations = describeViolations(check(judged(history, complaints), PROMISES));
  const wrong = [...complaints, ...stage.violations, violations];
  return {
    seed,
    episodes,
    history,
    logs: stage.logs,
    ends,
    wrong: wrong.filter((text) => text !== '').join('\n'),
    measured: { etcd: measure(history.events, 'etcd'), redis: measure(history.events, 'redis') },
  };
}

/** What was noted at an end that was not at rest proves nothing. */
function judged({ events }: HomesHistory, complaints: readonly string[]): Noted[] {
  const ends: readonly string[] = complaints.length === 0 ? [] : ['state', 'aside', 'homes'];
  return events.filter(({ kind }) => !ends.includes(kind));
}

/** A run told for those who must find out what was wrong. Writes its history and logs into `folder`. */
export function report({ seed, episodes, history, logs, ends, wrong }: Outcome, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly string[]): string => {
    const file = join(folder, `partitions-${seed}-${name}`);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return file;
  };
  const files = [
    write(
      'history.jsonl',
      history.events.map((event) => JSON.stringify(event, plainly)),
    ),
    write('logs.txt', logs),
  ];
  const told = [wrong, describeEpisodes(episodes), ends.join('\n'), files.join('\n')];
  return `seed ${seed} went wrong:\n${told.join('\n\n')}\n`;
}

function plainly(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** Figures in a line. */
export function figuresOf({ measured: { etcd, redis }, ends }: Outcome): string {
  const of = ({ acknowledged, refused, unknown, reigns, stale }: Measured): string =>
    `${acknowledged} acknowledged, ${refused} refused, ${unknown} unknown, ${reigns} reigns, ${stale} by old homes`;
  const times = `alone ${redis.aloneMs} ms, ${redis.lost} lost; an old etcd ${etcd.unfencedMs} ms and an old Redis ${redis.unfencedMs} ms after they were found`;
  return `etcd: ${of(etcd)}; Redis: ${of(redis)}; ${times}; ${ends.join('; ')}`;
}

/** All that takes part in one run. */
class Stage {
  readonly #stores: Stores;
  readonly #network: Network;
  readonly #replicators: Replicators;
  readonly #cluster: Cluster;
  #writers: Writers | undefined;
  readonly #history: HomesHistory;
  /** What is cut now, until it is mended, and who is about to die. */
  readonly #suffered: Promise<void>[] = [];

  private constructor(parts: {
    stores: Stores;
    network: Network;
    replicators: Replicators;
    cluster: Cluster;
    history: HomesHistory;
  }) {
    this.#stores = parts.stores;
    this.#network = parts.network;
    this.#replicators = parts.replicators;
    this.#cluster = parts.cluster;
    this.#history = parts.history;
  }

  static async build(history: HomesHistory): Promise<Stage> {
    const stores = await Stores.start();
    const network = await Network.open((zone) => stores.ports(zone), history);
    const cluster = await Cluster.start({ stores, network, replication: (zone) => replicators.state(zone) });
    const replicators: Replicators = new Replicators({
      stores,
      network,
      wanted: (name) => cluster.configMap(name),
    });
    await fenceFollowers(stores, cluster.home);
    const stage = new Stage({ stores, network, replicators, cluster, history });
    try {
      await stage.#settle();
      // Before that each Redis is one of its own.
      stage.#writers = new Writers(stores, history);
      await stage.#settle();
    } catch (error) {
      await stage.clear();
      throw error;
    }
    return stage;
  }

  get logs(): string[] {
    return [...this.#cluster.trace, ...this.#replicators.logs];
  }

  get violations(): readonly string[] {
    return this.#cluster.violations;
  }

  /** Resolves with how it ended; when all is at rest again, or at once if it is impatient. */
  async play(name: string, episode: Episode): Promise<string> {
    const { home } = this.#cluster;
    const others = ZONES.filter((zone) => zone !== home);
    const [target, third] = episode.target === 0 ? others : others.toReversed();
    if (target === undefined || third === undefined) throw new RangeError('too few zones');
    this.#replicators.lingering = episode.lingering;
    const began = performance.now();
    const at = (ms: number): Promise<void> => delay(Math.max(0, began + ms - performance.now()));
    const suffered = episode.interferences.map(async ({ gap, how, at: from, forMs }) => {
      await at(from);
      const mend = this.#network.part(placed(gap, [home, target, third]), how);
      await delay(forMs);
      mend();
    });
    this.#suffered.push(...suffered, this.#crash(at, episode.crashAt));
    await at(episode.askedAt);
    const turned = this.#turn(name, episode, target);
    // It may fail while the end is waited for, and is told then.
    turned.catch(() => undefined);
    this.#ask(name, episode, { home, target });
    const end = await waitFor(`${name} ends`, () => this.#endOf(name), { timeoutMs: END_MS });
    (await turned)();
    if (end.includes(' RolledBack') && this.#cluster.home !== home)
      throw new Error(`${end}, and the home is in ${this.#cluster.home}, not in ${home} as before`);
    if (this.#cluster.failover(name)?.cause === 'HomeFenced') await this.#rescue(name);
    if (!episode.impatient) await this.#settle();
    return end;
  }

  /** Nothing is written any more, and all zones are to be the same. */
  async conclude(): Promise<void> {
    await this.#settle();
    await this.#writers?.stop();
    const { home } = this.#cluster;
    const revision = await this.#stores.revision(home);
    await waitFor('all etcds are what the home is', () => this.#replicators.areEqual(home, revision), {
      timeoutMs: SETTLE_MS,
    });
    await waitFor('all Redis have what the home has', () => this.#haveAll(home), { timeoutMs: SETTLE_MS });
    await this.#stores.note(this.#history, home, PREFIX);
  }

  async clear(): Promise<void> {
    // The stores go last, whatever the others say.
    try {
      await this.#writers?.stop();
      await this.#cluster.stop();
      await this.#replicators.stop();
    } finally {
      // What is cut is mended in its time, and finds closed ways: nobody minds.
      this.#network.close();
      await this.#stores.stop();
    }
  }

  async #turn(name: string, { turn }: Episode, target: Zone): Promise<() => void> {
    if (turn === undefined) return () => undefined;
    const parts = { cluster: this.#cluster, network: this.#network, written: () => this.#written() };
    return takeTurn(turn, { name, target }, parts);
  }

  async #crash(at: (ms: number) => Promise<void>, crashAt: number | undefined): Promise<void> {
    if (crashAt === undefined) return;
    await at(crashAt);
    this.#cluster.kill();
  }

  #ask(
    name: string,
    { mode, turn }: Pick<Episode, 'mode' | 'turn'>,
    { home, target }: { home: Zone; target: Zone },
  ): void {
    if (mode === 'Emergency') this.#history.add({ kind: 'emergency', zone: home });
    this.#cluster.ask(name, {
      fromZone: home,
      mode,
      ...(mode === 'Emergency' ? {} : { toHome: target }),
      limits: { timeout: turn === 'lost' ? SHORT : TIMEOUT, maxReplicationLag: 100, minReadyPerZone: 1 },
      ...(mode === 'Drill' ? { drill: { holdFor: turn === undefined ? '500ms' : TIMEOUT } } : {}),
    });
  }

  #endOf(name: string): string | undefined {
    const { phase = 'Queued', cause, message = '' } = this.#cluster.failover(name) ?? {};
    return isOver(phase)
      ? `${name} ${phase}${cause === undefined ? '' : ` (${cause})`}: ${message}`
      : undefined;
  }

  /** No zone takes writes, as the failover says; an Emergency helps, as it says too. */
  async #rescue(name: string): Promise<void> {
    const { home } = this.#cluster;
    const [target] = ZONES.filter((zone) => zone !== home);
    if (target === undefined) throw new RangeError('too few zones');
    this.#ask(`${name}-rescue`, { mode: 'Emergency' }, { home, target });
    await waitFor(`${name}-rescue ends`, () => this.#endOf(`${name}-rescue`), { timeoutMs: END_MS });
  }

  /** Until nothing is cut or under way, everybody follows the home, and its stores take writes. */
  async #settle(): Promise<void> {
    await Promise.all(this.#suffered.splice(0));
    const before = this.#written();
    await waitFor(
      'it is at rest',
      async () => {
        const unrest = this.#cluster.unrest();
        if (unrest !== undefined) throw new Error(unrest);
        const astray = ZONES.filter((zone) => zone !== this.#cluster.home).find(
          (zone) => this.#replicators.state(zone)?.phase !== 'Following',
        );
        if (astray !== undefined)
          throw new Error(`${astray}: ${this.#replicators.state(astray)?.reason ?? 'no replicator'}`);
        if (!(await this.#isGuarded())) throw new Error('the Redis of the home is not guarded');
        const now = this.#written();
        return this.#writers === undefined || (now.etcd > before.etcd && now.redis > before.redis);
      },
      { timeoutMs: SETTLE_MS },
    );
  }

  /** Writes that were acknowledged so far. */
  #written(): Record<Store, number> {
    return { ...(this.#writers?.acknowledged ?? { etcd: 0, redis: 0 }) };
  }

  async #isGuarded(): Promise<boolean> {
    const { guarded } = await redisAdmin.look(this.#stores.at(this.#cluster.home).redis);
    return guarded === true;
  }

  async #haveAll(home: Zone): Promise<boolean> {
    const { offset } = await redisAdmin.look(this.#stores.at(home).redis);
    const others = await Promise.all(
      ZONES.filter((zone) => zone !== home).map((zone) => redisAdmin.look(this.#stores.at(zone).redis)),
    );
    return others.every((state) => state.inSync === true && state.offset === offset);
  }
}

/** From the first move on only the home can be written; before it, nobody is told to write elsewhere (docs/adr/0022). */
async function fenceFollowers(stores: Stores, home: Zone): Promise<void> {
  const admin = etcdAdmin({
    access: (zone) => ({
      endpoints: [stores.at(zone as Zone).etcd.endpoint],
      ...stores.pem('orders inner'),
    }),
    applications: 'orders client',
  });
  await Promise.all(ZONES.filter((zone) => zone !== home).map((zone) => admin.fence(zone, 1)));
}

function placed(gap: Gap, zones: readonly [Zone, Zone, Zone]): Apartness {
  if (gap.side === 'way') return { side: 'way', from: zones[gap.from], to: zones[gap.to] };
  return { side: gap.side, zone: zones[gap.zone] };
}
