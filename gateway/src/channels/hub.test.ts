import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { waitFor } from '../../../e2e/tools/index.ts';
import { Payload } from '../protocol/index.ts';
import { Hub } from './index.ts';
import type { Receiver, StreamEntry, StreamMessage, StreamRange, StreamSnapshot } from './index.ts';

interface Publication {
  entry: StreamEntry;
  epoch: string | undefined;
}
type Frame = Publication | { announced: string } | { all: Frame[] };

/** Kafka, Redis and its pub/sub in memory: one channel on one partition. */
class World {
  /** Publications in Kafka: offset is the index. */
  readonly kafka: { publishedAt: number }[] = [];
  clock = 1_000_000;
  /** Pub/sub messages that are under way. */
  readonly onTheWay: StreamMessage[] = [];
  /** What the carrier has carried. */
  carried = 0;
  replayBelow = 0;
  epochs = 1;
  stream: StreamEntry[] = [];
  down = false;
  /** Announcements that were delivered, once for each receiver. */
  announced = 0;
  /** Entries that were delivered, once for each receiver. */
  delivered = 0;
  reads = 0;
  readonly listening = new Set<string>();

  publish(): void {
    this.clock += 10_000;
    this.kafka.push({ publishedAt: this.clock });
  }

  /** One record from Kafka to Redis, and to pub/sub. */
  carry(): void {
    const record = this.kafka[this.carried];
    if (!record) return;
    const entry: StreamEntry = {
      offset: this.stream.length + 1,
      data: Payload.ofJson(this.carried),
      info: '',
      kafka: { partition: 0, offset: this.carried },
      replayed: this.carried < this.replayBelow,
      publishedAt: record.publishedAt,
    };
    this.carried += 1;
    this.stream.push(entry);
    this.onTheWay.push({ ...entry, epoch: this.epoch });
  }

  get epoch(): string {
    return `e${this.epochs}`;
  }

  /** Redis is emptied; the carrier begins again. */
  empty(): void {
    this.epochs += 1;
    this.stream = [];
    this.replayBelow = this.kafka.length;
    this.carried = 0;
  }

  async read(_: string, { since, limit }: StreamRange): Promise<StreamSnapshot> {
    this.reads += 1;
    if (this.down) throw new Error('Redis is away');
    const last = this.stream.at(-1);
    const entries = this.stream.filter(({ offset }) => offset > (since ?? 0)).slice(0, limit);
    return { epoch: this.epoch, offset: last?.offset ?? 0, kafka: last?.kafka, entries };
  }

  async listen(channel: string): Promise<void> {
    this.listening.add(channel);
  }

  unlisten(channel: string): void {
    this.listening.delete(channel);
  }
}

class Subscriber implements Receiver<Frame> {
  readonly got: number[] = [];
  readonly epochs: (string | undefined)[] = [];
  /** Kafka offset of what was the last publication when it subscribed. */
  from = -1;
  /** Publications that came before it asked to be subscribed. It may get the last of them, but need not. */
  before = 0;
  droppedFor: number | undefined;
  heard: string[] = [];

  /** Frames that it got, however much was in each. */
  pieces = 0;

  deliver(frame: Frame): void {
    this.pieces += 1;
    this.#take(frame);
  }

  #take(frame: Frame): void {
    if ('announced' in frame) return void this.heard.push(frame.announced);
    if ('all' in frame) return frame.all.forEach((one) => this.#take(one));
    this.got.push(frame.entry.kafka.offset);
    this.epochs.push(frame.epoch);
  }

  dropped(_: string, { code }: { code: number }): void {
    this.droppedFor = code;
  }
}

/** Deliveries to `many` are paced. */
function hubIn(world: World, many = 100): Hub<Frame> {
  return new Hub<Frame>({
    reader: world,
    feed: world,
    historySize: () => 3,
    frame: (_, entry, epoch) => ({ entry, epoch }),
    join: (frames) => ({ all: frames }),
    many,
    announcement: (_, { info }) => ({ announced: info }),
    delivered: (_, receivers) => (world.delivered += receivers),
    announced: (receivers) => (world.announced += receivers),
    syncFailed: () => undefined,
    now: () => world.clock,
    unixNow: () => world.clock,
  });
}

/** Subscribes as one that comes back from where the stream is now. */
async function recover(hub: Hub<Frame>, world: World): Promise<Subscriber> {
  const subscriber = new Subscriber();
  world.clock += 10_000;
  const prepared = await hub.subscribe('chat:a', subscriber, { since: world.stream.length, limit: 10 });
  assert.ok(prepared);
  prepared.activate({ recovered: true });
  return subscriber;
}

async function subscribe(hub: Hub<Frame>, world: World): Promise<Subscriber> {
  const subscriber = new Subscriber();
  world.clock += 10_000;
  subscriber.before = world.kafka.length;
  const prepared = await hub.subscribe('chat:a', subscriber, { limit: 0 });
  assert.ok(prepared);
  subscriber.from = prepared.snapshot.kafka?.offset ?? -1;
  prepared.activate();
  return subscriber;
}

/** Lets everything that is under way arrive. */
async function settle(hub: Hub<Frame>, world: World): Promise<void> {
  while (world.carried < world.kafka.length) world.carry();
  for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
  for (let i = 0; i < 20; i++) await turn();
  hub.resync();
  for (let i = 0; i < 40; i++) await turn();
}

describe('the routing table', () => {
  it('delivers what comes after the subscription, and not what was before', async () => {
    const world = new World();
    const hub = hubIn(world);
    world.publish();
    world.carry();
    const ann = await subscribe(hub, world);
    world.publish();
    world.carry();
    // The first one is still under way when ann subscribes.
    for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
    assert.deepEqual(ann.got, [1]);
  });

  it('builds one frame for all subscribers', async () => {
    const world = new World();
    const frames = new Set<Frame>();
    const hub = hubIn(world);
    for (let i = 0; i < 3; i++) {
      const subscriber = await subscribe(hub, world);
      subscriber.deliver = (frame) => void frames.add(frame);
    }
    world.publish();
    world.carry();
    for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
    assert.equal(frames.size, 1);
  });

  it('sends what comes soon after a delivery to many in one piece, when the pause is over', async () => {
    const world = new World();
    const hub = hubIn(world, 2);
    const [ann, bob] = [await subscribe(hub, world), await subscribe(hub, world)];
    for (let i = 0; i < 4; i++) {
      world.publish();
      world.carry();
    }
    for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
    assert.deepEqual(
      [ann.got, bob.got],
      [
        [0, 1],
        [0, 1],
      ],
    );
    await waitFor('the rest', () => bob.got.length === 4);
    assert.deepEqual([ann.got, bob.pieces, world.delivered], [[0, 1, 2, 3], 3, 8]);
  });

  it('does not wait when nothing was delivered for a while', async () => {
    const world = new World();
    const hub = hubIn(world, 1);
    const ann = await subscribe(hub, world);
    for (let i = 0; i < 3; i++) {
      world.publish();
      world.carry();
      for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
    }
    assert.deepEqual(ann.got, [0, 1, 2]);
  });

  it('leaves nothing when subscriptions end', async () => {
    const world = new World();
    const hub = hubIn(world);
    const subscribers: Subscriber[] = [];
    for (let i = 0; i < 100; i++) {
      const subscriber = new Subscriber();
      (await hub.subscribe(`chat:${i % 10}`, subscriber, { limit: 0 }))?.activate();
      subscribers.push(subscriber);
    }
    assert.equal(hub.channels, 10);
    for (const [i, subscriber] of subscribers.entries()) hub.unsubscribe(`chat:${i % 10}`, subscriber);
    hub.sweep();
    world.clock += 60_000;
    hub.sweep();
    assert.equal(hub.channels, 0);
    assert.equal(world.listening.size, 0);
  });

  it('leaves nothing when Redis is away during a subscription', async () => {
    const world = new World();
    const hub = hubIn(world);
    world.down = true;
    await assert.rejects(hub.subscribe('chat:a', new Subscriber(), { limit: 0 }));
    world.clock += 60_000;
    hub.sweep();
    assert.equal(hub.channels, 0);
  });

  it('forgets a subscription that ends before it is answered', async () => {
    const world = new World();
    const hub = hubIn(world);
    const ann = new Subscriber();
    const pending = hub.subscribe('chat:a', ann, { limit: 0 });
    hub.unsubscribe('chat:a', ann);
    assert.equal(await pending, undefined);
    world.publish();
    world.carry();
    for (const message of world.onTheWay.splice(0)) hub.receive('chat:a', message);
    assert.deepEqual(ann.got, []);
  });

  it('tells who comes and goes to those who listen, from when they are answered', async () => {
    const world = new World();
    const hub = hubIn(world);
    const [ann, bob, cleo] = [new Subscriber(), new Subscriber(), new Subscriber()];
    (await hub.subscribe('chat:a', ann, { limit: 0 }))?.activate({ listens: true });
    (await hub.subscribe('chat:a', bob, { limit: 0 }))?.activate();
    const pending = await hub.subscribe('chat:a', cleo, { limit: 0 });
    hub.announce('chat:a', { what: 'join', info: '1' });
    hub.announce('chat:b', { what: 'join', info: 'elsewhere' });
    pending?.activate({ listens: true });
    hub.announce('chat:a', { what: 'leave', info: '2' });
    hub.unsubscribe('chat:a', ann);
    hub.announce('chat:a', { what: 'join', info: '3' });
    hub.unsubscribe('chat:a', cleo);
    hub.announce('chat:a', { what: 'join', info: '4' });
    assert.deepEqual([ann.heard, bob.heard, cleo.heard], [['1', '2'], [], ['2', '3']]);
    assert.equal(world.announced, 4);
  });

  it('says the new epoch once, after a stream was rebuilt', async () => {
    const world = new World();
    const hub = hubIn(world);
    const ann = await subscribe(hub, world);
    world.publish();
    await settle(hub, world);
    world.empty();
    world.publish();
    world.publish();
    await settle(hub, world);
    assert.deepEqual(ann.got, [0, 1, 2]);
    assert.deepEqual(ann.epochs, [undefined, 'e2', undefined]);
  });

  it('catches up with more than one read', async () => {
    const world = new World();
    const hub = hubIn(world);
    const ann = await subscribe(hub, world);
    for (let i = 0; i < 8; i++) {
      world.publish();
      world.carry();
    }
    world.onTheWay.length = 0;
    hub.resync();
    for (let i = 0; i < 40; i++) await turn();
    assert.deepEqual(ann.got, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('does not show a new subscriber what was published before it came, while a stream is rebuilt', async () => {
    const world = new World();
    const hub = hubIn(world);
    for (let i = 0; i < 3; i++) {
      world.publish();
      world.carry();
    }
    world.onTheWay.length = 0;
    world.empty();
    const ann = await subscribe(hub, world);
    world.publish();
    await settle(hub, world);
    assert.deepEqual(ann.got, [3]);
  });

  it('shows one that has recovered all that it had not, while a stream is rebuilt', async () => {
    const world = new World();
    const hub = hubIn(world);
    world.publish();
    world.carry();
    // Published before it comes back, and carried only after Redis was emptied.
    world.publish();
    const inTheOldStream = await recover(hub, world);
    world.onTheWay.length = 0;
    world.empty();
    world.carry();
    const inTheNewStream = await recover(hub, world);
    world.publish();
    await settle(hub, world);
    assert.deepEqual(inTheOldStream.got, [1, 2]);
    assert.deepEqual(inTheNewStream.got, [1, 2]);
  });

  it('tells subscribers when what they missed is gone', async () => {
    const world = new World();
    const hub = hubIn(world);
    const ann = await subscribe(hub, world);
    for (let i = 0; i < 5; i++) {
      world.publish();
      world.carry();
    }
    world.onTheWay.length = 0;
    world.stream.splice(0, 4);
    hub.resync();
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(ann.droppedFor, 2500);
    assert.deepEqual(ann.got, []);
  });

  for (const many of [1, 2, 100]) {
    it(`delivers each publication once and in order, whatever is lost on the way, paced from ${many} on`, () =>
      deliversOnce(many));
  }
});

async function deliversOnce(many: number): Promise<void> {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('publish') },
    { weight: 4, arbitrary: fc.constant('carry') },
    { weight: 4, arbitrary: fc.constant('arrive') },
    { weight: 2, arbitrary: fc.constant('subscribe') },
    { weight: 1, arbitrary: fc.constant('lose') },
    { weight: 1, arbitrary: fc.constant('resync') },
    { weight: 1, arbitrary: fc.constant('empty') },
    { weight: 2, arbitrary: fc.constant('turn') },
    { weight: 1, arbitrary: fc.constant('wait') },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new World();
      const hub = hubIn(world, many);
      const pending: Promise<Subscriber>[] = [];
      for (const name of steps) {
        if (name === 'publish') world.publish();
        else if (name === 'carry') world.carry();
        else if (name === 'subscribe') pending.push(subscribe(hub, world));
        else if (name === 'lose') world.onTheWay.shift();
        else if (name === 'resync') hub.resync();
        else if (name === 'empty') world.empty();
        else if (name === 'turn') await turn();
        else if (name === 'wait') await delay(1);
        else {
          const message = world.onTheWay.shift();
          if (message) hub.receive('chat:a', message);
        }
      }
      const subscribers = await Promise.all(pending);
      await settle(hub, world);
      for (const subscriber of subscribers) check(subscriber, world);
      hub.close();
    }),
    { numRuns: 500 },
  );
}

/** A subscriber that was not told otherwise has all that came after it subscribed, once and in order. */
function check({ got, from, before, droppedFor }: Subscriber, world: World): void {
  const sorted = [...new Set(got)].sort((a, b) => a - b);
  assert.deepEqual(got, sorted, 'once and in order');
  assert.ok(
    got.every((offset) => offset > from),
    'nothing that it had when it subscribed',
  );
  if (droppedFor !== undefined) return;
  const due = world.kafka.map((_, offset) => offset).filter((offset) => offset >= before && offset > from);
  assert.deepEqual(
    got.filter((offset) => offset >= before),
    due,
    'all that came after it subscribed',
  );
}
