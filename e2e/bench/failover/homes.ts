/** Whether two zones were ever home at once: a writer in each zone asks its own stores, and e2e/homes judges the answers. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { objectName } from '@causeway/crds';
import { inNetns, nodes } from '../../lab/index.ts';
import { check, measure, PROMISES, type HomesEvent, type Noted, type Violation } from '../../homes/index.ts';
import { countBy } from './count-by.ts';
import { BENCH } from '../common/lab.ts';
import type { Pem, WriterLine, WriterOrder } from './home-writer.ts';
import type { Rig } from './rig.ts';

/** Pods get other addresses when their zone comes back, milliseconds. */
const LOOK_MS = 3_000;

/** What was seen in a run. */
export interface HomesVerdict {
  /** Writes that were taken, by store. */
  acknowledged: { redis: number; etcd: number };
  /** Times of zones as home, by store. */
  reigns: { redis: number; etcd: number };
  /**
   * Taken by a home that had been declared gone while it could not be told, after the next one had begun; milliseconds
   * from a zone's cut to the last write that its Redis took. Both are allowed, up to a limit.
   */
  byOldHome: { redis: number; etcd: number };
  aloneMs: number;
  /** By kind, see e2e/homes. Empty: none. */
  violations: Partial<Record<Violation['kind'], number>>;
  /** Some of them, in words. */
  examples: Violation[];
}

/** What happened to the home's zone; milliseconds since the Unix epoch. */
export interface Outage {
  zone: string;
  from: number;
  to: number;
  /** When it was declared gone. */
  emergency: number;
}

/** Writers in all zones. */
export class HomeWatch {
  readonly #rig: Rig;
  readonly #writers: ReadonlyMap<string, ChildProcess>;
  readonly #lines: WriterLine[] = [];
  readonly #faults: string[] = [];
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  private constructor(rig: Rig) {
    this.#rig = rig;
    this.#writers = new Map(nodes.map(({ zone, netns }) => [zone, this.#start(netns)]));
  }

  /** Starts them. `stop` must be called. */
  static async begin(rig: Rig): Promise<HomeWatch> {
    const pems = {
      redis: await rig.pem(objectName.internal(BENCH.name)),
      etcd: await rig.pem(objectName.client(BENCH.name)),
    };
    const watch = new HomeWatch(rig);
    try {
      await watch.#look(pems);
      return watch;
    } catch (error) {
      await watch.end();
      throw error;
    }
  }

  /** Ends them, and judges. */
  async stop(outage?: Outage): Promise<HomesVerdict> {
    await this.end();
    if (this.#faults.length > 0) throw new Error(`a writer failed: ${this.#faults.join('; ')}`);
    return judgeHomes(this.#lines, outage);
  }

  /** Ends them. Twice is no error. */
  async end(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#writers.values()].map(ended));
  }

  #start(netns: string): ChildProcess {
    const program = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'home-writer.ts'),
    ];
    const child = spawn('nsenter', inNetns({ netns }, ...program), { stdio: ['pipe', 'pipe', 'pipe'] });
    if (child.stdout === null || child.stderr === null) throw new TypeError('a writer has no output');
    createInterface({ input: child.stdout }).on('line', (line) =>
      this.#lines.push(JSON.parse(line) as WriterLine),
    );
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-2_000)));
    child.on('error', (error) => this.#faults.push(error.message));
    child.stdin?.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      if (!this.#isOver) this.#faults.push(`${netns} ended with ${code ?? signal}: ${said}`);
    });
    return child;
  }

  /** Tells the writers where the stores are, again and again. */
  async #look(pems: { redis: Pem; etcd: Pem }): Promise<void> {
    const pods = await this.#rig.storePods();
    for (const [zone, child] of this.#writers) {
      const [redis, etcd] = [pods.get(`redis ${zone}`), pods.get(`etcd ${zone}`)];
      if (redis === undefined || etcd === undefined) continue;
      const order: WriterOrder = {
        zone,
        redis: {
          name: `${objectName.zoneRedis(BENCH.name, zone)}.${BENCH.namespace}.svc`,
          address: redis,
          tls: pems.redis,
        },
        etcd: {
          name: `${objectName.zoneEtcd(BENCH.name, zone)}.${BENCH.namespace}.svc`,
          address: etcd,
          tls: pems.etcd,
        },
      };
      if (this.#told.get(zone) === `${redis} ${etcd}`) continue;
      this.#told.set(zone, `${redis} ${etcd}`);
      child.stdin?.write(`${JSON.stringify(order)}\n`);
    }
    if (this.#isOver) return;
    this.#timer = setTimeout(
      () => void this.#look(pems).catch((error: unknown) => this.#faults.push(String(error))),
      LOOK_MS,
    );
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const closed = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin?.end();
  return closed;
}

/** Judges what writers were told. Pure. */
export function judgeHomes(lines: readonly WriterLine[], outage?: Outage): HomesVerdict {
  const writes = lines.map((line): HomesEvent => {
    const { revision, ...write } = line;
    return { kind: 'write', ...write, ...(revision === undefined ? {} : { revision: BigInt(revision) }) };
  });
  const began = Math.min(outage?.from ?? Infinity, ...lines.map(({ invokedAt }) => invokedAt));
  const events = [...writes, ...outageEvents(outage)].map((event): Noted => {
    if (event.kind !== 'write') return { ...event, ms: atOf(event, outage) - began };
    const [invokedAt, endedAt] = [event.invokedAt - began, event.endedAt - began];
    return { ...event, invokedAt, endedAt, ms: invokedAt };
  });
  events.sort((a, b) => a.ms - b.ms);
  const [redis, etcd] = [measure(events, 'redis'), measure(events, 'etcd')];
  const violations = check(events, PROMISES);
  return {
    acknowledged: { redis: redis.acknowledged, etcd: etcd.acknowledged },
    reigns: { redis: redis.reigns, etcd: etcd.reigns },
    byOldHome: { redis: redis.stale, etcd: etcd.stale },
    aloneMs: redis.aloneMs,
    violations: countBy(violations.map(({ kind }) => kind)),
    examples: violations.slice(0, 10),
  };
}

function outageEvents(outage: Outage | undefined): HomesEvent[] {
  if (outage === undefined) return [];
  const { zone } = outage;
  return [
    { kind: 'cut', zone, side: 'operator' },
    { kind: 'cut', zone, side: 'zones' },
    { kind: 'emergency', zone },
    { kind: 'mended', zone, side: 'operator' },
    { kind: 'mended', zone, side: 'zones' },
  ];
}

function atOf({ kind }: HomesEvent, outage: Outage | undefined): number {
  if (outage === undefined) return Number.NaN;
  if (kind === 'emergency') return outage.emergency;
  return kind === 'cut' ? outage.from : outage.to;
}
