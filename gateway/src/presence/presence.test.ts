import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Announcement } from '../channels/index.ts';
import { Presence } from './index.ts';
import type { PresencePart, PresenceStats, PresenceStore, PresenceUpdate } from './index.ts';
import { SharedReads } from './shared-reads.ts';

const SHOWN = { presence: true, joinLeave: false };
const BOTH = { presence: true, joinLeave: true };
const TOLD = { presence: false, joinLeave: true };

/** Redis as one gateway sees it: answers later, in order, and can lose and refuse. */
class Store implements PresenceStore {
  parts = new Map<string, { version: number; clients: Map<string, string> }>();
  announced: (Announcement & { channel: string })[] = [];
  calls = { update: 0, keep: 0, list: 0 };
  down = false;

  async update({ channel, base, version, changes }: PresenceUpdate): Promise<boolean> {
    this.calls.update += 1;
    if (this.down) throw new Error('away');
    assert.ok(changes.length <= 500);
    const before = this.parts.get(channel);
    if (base !== undefined && before?.version !== base) return false;
    const clients = base === undefined ? new Map<string, string>() : (before?.clients ?? new Map());
    for (const { client, info } of changes) {
      if (info === undefined) clients.delete(client);
      else clients.set(client, info);
    }
    this.parts.set(channel, { version, clients });
    return true;
  }

  async announce(channel: string, announcements: Announcement[]): Promise<void> {
    if (this.down) throw new Error('away');
    this.announced.push(...announcements.map((one) => ({ channel, ...one })));
  }

  async keep(parts: PresencePart[]): Promise<PresencePart[]> {
    this.calls.keep += 1;
    if (this.down) throw new Error('away');
    return parts.filter(({ channel, version }) => this.parts.get(channel)?.version !== version);
  }

  async list(channel: string): Promise<string[]> {
    this.calls.list += 1;
    if (this.down) throw new Error('away');
    return [...(this.parts.get(channel)?.clients.values() ?? [])];
  }

  async stats(channel: string): Promise<PresenceStats> {
    const clients = this.parts.get(channel)?.clients.size ?? 0;
    return { clients, users: clients };
  }
}

function presenceIn(store: Store): {
  presence: Presence;
  counts: Record<string, number>;
  clock: { now: number };
} {
  const counts = { failed: 0, dropped: 0, repaired: 0 };
  const clock = { now: 0 };
  const presence = new Presence({
    store,
    failed: () => (counts.failed += 1),
    dropped: () => (counts.dropped += 1),
    repaired: () => (counts.repaired += 1),
    now: () => clock.now,
  });
  return { presence, counts, clock };
}

describe('presence', () => {
  it('shows who came, at once to who asks after that, with one call for all who came together', async () => {
    const store = new Store();
    const { presence } = presenceIn(store);
    for (let i = 0; i < 400; i++) presence.join('chat:a', `c${i}`, `"${i}"`, SHOWN);
    assert.deepEqual(((await presence.list('chat:a')) as string[]).length, 400);
    assert.equal(store.calls.update, 1);
    presence.leave('chat:a', 'c7', '"7"', SHOWN);
    assert.equal(((await presence.list('chat:a')) as string[]).includes('"7"'), false);
    assert.equal(presence.entries, 399);
  });

  it('costs one small call for each 200 channels to be kept, however many clients they have', async () => {
    const store = new Store();
    const { presence } = presenceIn(store);
    for (let i = 0; i < 10_000; i++) presence.join('chat:large', `c${i}`, `"${i}"`, SHOWN);
    for (let i = 0; i < 399; i++) presence.join(`chat:${i}`, 'c', '"c"', SHOWN);
    await presence.close();
    const before = store.calls.update;
    await presence.keep();
    assert.equal(store.calls.keep, 2);
    assert.equal(store.calls.update, before);
  });

  it('comes back by itself when Redis has lost it', async () => {
    const store = new Store();
    const { presence, counts } = presenceIn(store);
    for (let i = 0; i < 1_200; i++) presence.join('chat:a', `c${i}`, `"${i}"`, SHOWN);
    await presence.close();
    store.parts.clear();
    await presence.keep();
    await presence.close();
    assert.equal(store.parts.get('chat:a')?.clients.size, 1_200);
    assert.equal(counts['repaired'], 1);
  });

  it('comes back when Redis went back to a version that it had', async () => {
    const store = new Store();
    const { presence } = presenceIn(store);
    presence.join('chat:a', 'ann', '"ann"', SHOWN);
    await presence.close();
    const old = structuredClone(store.parts);
    presence.leave('chat:a', 'ann', '"ann"', SHOWN);
    presence.join('chat:a', 'bob', '"bob"', SHOWN);
    await presence.close();
    store.parts = old;
    await presence.keep();
    await presence.close();
    assert.deepEqual(await presence.list('chat:a'), ['"bob"']);
  });

  it('tells who comes and goes in order, and shows nobody where only that is wanted', async () => {
    const store = new Store();
    const { presence } = presenceIn(store);
    presence.join('chat:a', 'ann', '"ann"', TOLD);
    presence.leave('chat:a', 'ann', '"ann"', TOLD);
    presence.join('chat:b', 'ann', '"ann"', BOTH);
    await presence.close();
    assert.deepEqual(store.announced, [
      { channel: 'chat:a', what: 'join', info: '"ann"' },
      { channel: 'chat:a', what: 'leave', info: '"ann"' },
      { channel: 'chat:b', what: 'join', info: '"ann"' },
    ]);
    assert.equal(store.parts.has('chat:a'), false);
    assert.deepEqual(await presence.list('chat:b'), ['"ann"']);
  });

  it('tells no more of one channel than its rate, and counts what it drops', async () => {
    const store = new Store();
    const { presence, counts, clock } = presenceIn(store);
    for (let i = 0; i < 1_000; i++) presence.join('chat:a', `c${i}`, '"c"', TOLD);
    await presence.close();
    presence.join('chat:b', 'c', '"c"', TOLD);
    await presence.close();
    assert.equal(store.announced.length, 201);
    assert.equal(counts['dropped'], 800);
    clock.now += 2_000;
    await presence.keep();
    assert.equal(presence.channels, 0, 'its bucket is forgotten when it is full again');
  });

  it('leaves nothing when all are gone', async () => {
    const store = new Store();
    const { presence } = presenceIn(store);
    for (let i = 0; i < 2_000; i++) presence.join(`chat:${i % 50}`, `c${i}`, '"c"', SHOWN);
    for (let i = 0; i < 2_000; i++) presence.leave(`chat:${i % 50}`, `c${i}`, '"c"', SHOWN);
    await presence.close();
    assert.equal(presence.entries, 0);
    assert.equal(presence.channels, 0);
  });

  it('knows nothing of channels without it', () => {
    const { presence } = presenceIn(new Store());
    presence.join('chat:a', 'ann', '"ann"', { presence: false, joinLeave: false });
    assert.equal(presence.channels, 0);
  });

  it('is in Redis what it is here, whatever Redis loses and refuses meanwhile', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ join: fc.integer({ min: 0, max: 9 }) }) },
      { weight: 3, arbitrary: fc.record({ leave: fc.integer({ min: 0, max: 9 }) }) },
      { weight: 1, arbitrary: fc.constantFrom('empty', 'down', 'up', 'keep', 'turn', 'send', 'back') },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = new Store();
        const { presence } = presenceIn(store);
        const here = new Set<string>();
        let old = structuredClone(store.parts);
        for (const one of steps) {
          if (one === 'empty') store.parts.clear();
          else if (one === 'down') store.down = true;
          else if (one === 'up') store.down = false;
          else if (one === 'keep') void presence.keep();
          else if (one === 'send') void presence.list('chat:a').catch(() => undefined);
          else if (one === 'back') [store.parts, old] = [old, structuredClone(store.parts)];
          else if (one === 'turn') await new Promise((done) => setImmediate(done));
          else if ('join' in one) {
            presence.join('chat:a', `c${one.join}`, `"${one.join}"`, SHOWN);
            here.add(`"${one.join}"`);
          } else {
            presence.leave('chat:a', `c${one.leave}`, '', SHOWN);
            here.delete(`"${one.leave}"`);
          }
        }
        store.down = false;
        await presence.close();
        await presence.keep();
        await presence.keep();
        await presence.close();
        // What is left of a part that nobody is in any more is not kept, and expires.
        if (here.size > 0) assert.deepEqual(new Set((await presence.list('chat:a')) as string[]), here);
        assert.equal(presence.entries, here.size);
      }),
      { numRuns: 500 },
    );
  });
});

describe('shared reads', () => {
  it('let ten thousand who ask at once cost two reads, and show each what was before it asked', async () => {
    let value = 0;
    let reads = 0;
    const shared = new SharedReads(async () => {
      reads += 1;
      const seen = value;
      await new Promise((done) => setImmediate(done));
      return seen;
    });
    const asked = Array.from({ length: 10_000 }, async () => {
      const before = ++value;
      assert.ok((await shared.get('a')) >= before);
    });
    await Promise.all(asked);
    assert.equal(reads, 2);
  });

  it('fail together, and begin anew after that', async () => {
    let fails = true;
    const shared = new SharedReads(async () => {
      if (fails) throw new Error('away');
      return 1;
    });
    await Promise.all([assert.rejects(shared.get('a')), assert.rejects(shared.get('a'))]);
    fails = false;
    assert.equal(await shared.get('a'), 1);
  });
});
