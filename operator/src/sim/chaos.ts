/** Everything that can go wrong, drawn from a seed: for a while after each step of a scenario, then it is calm. */
import { LABEL, objectName } from '@causeway/crds';
import { refOf } from '../controller/keys.ts';
import { KubeError, type KubeObject, type ResourceKind } from '../controller/kube-api.ts';
import { NetworkError } from '../controller/http-transport.ts';
import { KafkaFailure } from '../platform/kafka.ts';
import { CHILD_KINDS, KIND } from '../platform/kinds.ts';
import { calm, type Call, type Fate } from './network.ts';
import type { Random } from './random.ts';
import type { World, WorldOptions } from './world.ts';

/** How often each thing happens in one run; some runs are about one thing only. */
interface Weather {
  /** Chance that a call fails, of those to each server. */
  kubeFails: number;
  kafkaFails: number;
  redisFails: number;
  /** Chance that a call is slow. */
  slow: number;
  /** Longest delay of a watch event, milliseconds. */
  staleMs: number;
  /** Time until Kafka shows a new topic, milliseconds. */
  kafkaLagMs: number;
  /** Chance that a call that changes something kills the operator. */
  crash: number;
  /** Mean time between two misfortunes of each kind, milliseconds; 0: it does not happen. */
  brokenWatchMs: number;
  compactionMs: number;
  holdMs: number;
  vandalMs: number;
}

const VANDAL = { manager: 'vandal' };
/** Time that chaos reigns after each step, milliseconds. */
const REIGN_MS = 40_000;

export class Chaos {
  /** Operators that run beside each other. */
  readonly operators: number;
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #calls: Random;
  readonly #hides: boolean;
  #reigns = false;
  /** Kafka is away until then, milliseconds since the epoch. */
  #kafkaAwayUntil = 0;
  #now = (): number => 0;

  /** @param hides whether somebody may hide objects from the operator */
  constructor(random: Random, hides: boolean) {
    this.#random = random;
    this.#hides = hides;
    this.#calls = random.fork('calls');
    this.operators = random.chance(0.3) ? 2 : 1;
    this.#weather = drawWeather(random.fork('weather'));
  }

  get worldOptions(): WorldOptions {
    const watches = this.#random.fork('watches');
    return {
      seed: this.#random.next(),
      operators: this.operators,
      plan: (call) => this.#fate(call),
      watches: {
        delayMs: () => (this.#reigns ? Math.floor(watches.next() ** 3 * this.#weather.staleMs) : 2),
      },
    };
  }

  /** Lets time pass while things go wrong. */
  async reign(world: World): Promise<void> {
    this.#now = () => world.time.now;
    this.#reigns = true;
    const end = world.time.now + REIGN_MS;
    const { brokenWatchMs, compactionMs, holdMs, vandalMs } = this.#weather;
    this.#every(world, brokenWatchMs, 'broken watches', (random) => breakWatch(world, random));
    this.#every(world, compactionMs, 'compaction', () => world.kube.compact());
    this.#every(world, holdMs, 'hold', (random) => hold(world, random));
    this.#every(world, vandalMs, 'vandal', (random) => vandalize(world, random, this.#hides));
    world.kafka.showsAfter(world.time, this.#weather.kafkaLagMs);
    await world.time.run(() => world.network.isStorming, end);
    this.#reigns = false;
    world.kafka.showsAfter(world.time, 0);
    world.trace.add(() => '— calm');
    // What is under way when it gets calm still fails; watches that are late catch up.
    for (const pipe of world.watches)
      pipe.fail(new NetworkError('the connection broke', { code: 'ECONNRESET' }));
  }

  #every(world: World, meanMs: number, what: string, happen: (random: Random) => void): void {
    if (meanMs === 0) return;
    const random = this.#random.fork(`${what} ${world.time.now}`);
    const next = (): void => {
      world.time.after(meanMs * (0.2 + 1.6 * random.next()), () => {
        if (!this.#reigns) return;
        world.trace.add(() => `· ${what}`);
        happen(random);
        next();
      });
    };
    next();
  }

  #fate(call: Call): Fate {
    if (!this.#reigns) return calm(call);
    const random = this.#calls;
    const weather = this.#weather;
    if (call.mutates && random.chance(weather.crash)) {
      return { kind: 'crash', when: random.chance(0.5) ? 'before' : 'after' };
    }
    if (call.target === 'kafka') return this.#kafkaFate(call, random);
    const fails = call.target === 'kube' ? weather.kubeFails : weather.redisFails;
    if (!random.chance(fails)) return answered(random, weather);
    return call.target === 'kube'
      ? kubeFailure(call, random)
      : lost(new Error('Command timed out'), 3_000, random);
  }

  #kafkaFate(_call: Call, random: Random): Fate {
    const { kafkaFails } = this.#weather;
    const away = new KafkaFailure(
      'KafkaUnreachable',
      'Kafka at kafka.kafka:9092 cannot be reached: it is away.',
    );
    if (this.#now() < this.#kafkaAwayUntil) return { kind: 'refused', afterMs: 500, error: away };
    if (!random.chance(kafkaFails)) return answered(random, this.#weather);
    if (random.chance(0.3)) {
      this.#kafkaAwayUntil = this.#now() + random.int(2_000, 15_000);
      return { kind: 'refused', afterMs: 500, error: away };
    }
    return lost(away, 10_000, random);
  }
}

function drawWeather(random: Random): Weather {
  const some = (value: number, chance = 0.6): number => (random.chance(chance) ? value * random.next() : 0);
  return {
    kubeFails: some(0.15),
    kafkaFails: some(0.4),
    redisFails: some(0.4),
    slow: some(0.2),
    staleMs: random.chance(0.5) ? random.int(100, 15_000) : 20,
    kafkaLagMs: Math.floor(some(20) + some(5_000, 0.2)),
    crash: some(0.05),
    brokenWatchMs: some(8_000),
    compactionMs: some(10_000, 0.4),
    holdMs: some(30_000, 0.4),
    vandalMs: some(8_000, 0.5),
  };
}

function answered(random: Random, { slow }: Weather): Fate {
  if (random.chance(slow))
    return { kind: 'answered', requestMs: random.int(1, 3_000), replyMs: random.int(1, 3_000) };
  return { kind: 'answered', requestMs: random.int(1, 8), replyMs: random.int(1, 8) };
}

function kubeFailure(call: Call, random: Random): Fate {
  const afterMs = random.int(1, 50);
  const timedOut = new NetworkError('no answer in 30 s', { code: 'ETIMEDOUT' });
  const choice = random.int(1, 6);
  if (choice === 1) return refused(afterMs, 500, 'InternalError', 'etcdserver: leader changed');
  if (choice === 2) return refused(afterMs, 429, 'TooManyRequests', 'too many requests');
  if (choice === 3 && call.mutates) return refused(afterMs, 409, 'Conflict', 'the object has been modified');
  if (choice === 4)
    return { kind: 'refused', afterMs, error: new NetworkError('refused', { code: 'ECONNREFUSED' }) };
  if (choice === 5 && call.mutates) {
    // The caller gives up first, and then it happens: the request had been under way all the time.
    return { kind: 'lost', afterMs: 3_000, error: timedOut, effectMs: 3_000 + random.int(1, 6_000) };
  }
  return lost(timedOut, 3_000, random);
}

function refused(afterMs: number, code: number, reason: string, message: string): Fate {
  return { kind: 'refused', afterMs, error: new KubeError(message, { code, reason }) };
}

/** No answer; it took effect, or it did not. */
function lost(error: Error, afterMs: number, random: Random): Fate {
  return {
    kind: 'lost',
    afterMs,
    error,
    effectMs: random.chance(0.5) ? random.int(1, afterMs - 1) : undefined,
  };
}

function breakWatch(world: World, random: Random): void {
  const open = [...world.watches].filter((pipe) => pipe.isOpen);
  if (open.length === 0) return;
  const pipe = random.pick(open);
  if (random.chance(0.5)) pipe.fail(new NetworkError('the connection broke', { code: 'ECONNRESET' }));
  else pipe.end(5);
}

/** A process stands still, longer than a lease lasts or only for a moment. */
function hold(world: World, random: Random): void {
  const alive = [...world.operators].filter((each) => each.alive);
  if (alive.length === 0) return;
  const victim = random.pick(alive);
  const ms = random.int(500, 25_000);
  world.trace.add(() => `${victim.name} stands still for ${ms} ms`);
  victim.hold(ms);
}

/** Somebody deletes or changes what is not theirs. Only what must be put back as it was. */
function vandalize(world: World, random: Random, hides: boolean): void {
  if (world.platform === undefined || world.platform.metadata.deletionTimestamp !== undefined) return;
  const edit = (): void => editChild(world, random, hides);
  const acts = [deleteChild, deleteChild, edit, edit, deletePod, spoilTopic, spoilRedis];
  random.pick(acts)(world, random);
}

function children(world: World): { kind: ResourceKind; object: KubeObject }[] {
  return CHILD_KINDS.flatMap((kind) => world.kube.all(kind)).filter(
    ({ object }) => object.metadata.ownerReferences?.[0]?.kind === 'MessagePlatform',
  );
}

function deleteChild(world: World, random: Random): void {
  const all = children(world);
  if (all.length === 0) return;
  const { kind, object } = random.pick(all);
  const { name } = object.metadata;
  if (name === objectName.authority(world.platform?.metadata.name ?? ''))
    world.invariants.allowNewAuthority();
  world.trace.add(() => `somebody deletes ${kind.kind} ${name}`);
  world.kube.delete(kind, refOf(object));
}

function editChild(world: World, random: Random, hides: boolean): void {
  const all = children(world);
  if (all.length === 0) return;
  const { kind, object } = random.pick(all);
  const patch = random.pick(editsOf(kind, object, hides));
  world.trace.add(() => `somebody edits ${kind.kind} ${object.metadata.name}: ${JSON.stringify(patch)}`);
  world.kube.patch(kind, refOf(object), patch, VANDAL);
}

function editsOf(kind: ResourceKind, object: KubeObject, hides: boolean): Record<string, unknown>[] {
  const edits: Record<string, unknown>[] = [{ metadata: { labels: { [LABEL.component]: 'other' } } }];
  // Without the label it is known by its owner, and without the owner by the label; without both it is a stranger's.
  if (hides) edits.push({ metadata: { labels: { [LABEL.platform]: null } } });
  if (hides && object.metadata.labels?.[LABEL.platform] !== undefined)
    edits.push({ metadata: { ownerReferences: null } });
  if (kind === KIND.deployment)
    edits.push({ spec: { replicas: 4 } }, { spec: { template: { spec: { containers: [] } } } });
  if (kind === KIND.statefulSet) edits.push({ spec: { replicas: 2 } });
  if (kind === KIND.service) edits.push({ spec: { selector: { app: 'other' } } });
  if (kind === KIND.configMap) {
    const [key] = Object.keys((object as { data?: object }).data ?? {});
    if (key !== undefined) edits.push({ data: { [key]: 'spoiled' } }, { data: null });
  }
  return edits;
}

function deletePod(world: World, random: Random): void {
  const pods = world.kube.all(KIND.pod);
  if (pods.length > 0) world.kube.delete(KIND.pod, refOf(random.pick(pods).object));
}

function spoilTopic(world: World, random: Random): void {
  const topics = [...world.kafka.snapshot().values()];
  if (topics.length === 0) return;
  const topic = random.pick(topics);
  // A setting that the platform asks for; others are left alone.
  const [key] = Object.keys(topic.config);
  if (key !== undefined) world.kafka.put({ ...topic, config: { ...topic.config, [key]: '1' } });
}

function spoilRedis(world: World, random: Random): void {
  const hosts = [...world.redis.snapshot().keys()];
  if (hosts.length === 0) return;
  const host = random.pick(hosts);
  const follows = random.chance(0.5) ? undefined : 'nowhere.example.com';
  world.trace.add(() => `somebody tells ${host} to follow ${follows ?? 'no one'}`);
  world.redis.command(host, follows);
}
