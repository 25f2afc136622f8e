import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ADMIN_PATH, ETCD_KEY } from '@causeway/crds';
import type { EtcdFence, OrphanAbout, ReplicationState, ReplicatorConfig } from '@causeway/crds';
import type { IRequestOp } from 'etcd3';
import { waitFor } from '../../../e2e/tools/index.ts';
import { etcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import type { EtcdAdmin } from '../../../operator/src/platform/etcd-admin.ts';
import { prefixRange } from '../etcd/index.ts';
import type { EtcdClient } from '../etcd/index.ts';
import { startAdmin } from './admin.ts';
import { keepAside } from './orphans.ts';
import { startReplicator } from './replicator.ts';
import type { Replicator } from './replicator.ts';
import {
  endReplicatorProcesses,
  replicatorConfig,
  sameKeys,
  silent,
  startReplicatorProcess,
  Zone,
} from './testing/index.ts';
import { Target } from './target.ts';

/**
 * An emergency between real etcds: the home is cut off, goes on being written, another zone takes over, and the old home
 * comes back. Fence and promotion are the operator's own.
 */
const PREFIXES = ['/config/', '/tenants/'];
type Name = 'zone-a' | 'zone-b' | 'zone-c';
let zones: Record<Name, Zone>;
let admin: EtcdAdmin;
let running: Replicator[] = [];

const config = (homeZone: Name, zone: Name, epoch: number): ReplicatorConfig =>
  replicatorConfig(zones, { homeZone, zone, epoch, prefixes: PREFIXES });
const start = (homeZone: Name, zone: Name, epoch: number): Replicator => {
  const replicator = startReplicator(config(homeZone, zone, epoch), silent);
  running.push(replicator);
  return replicator;
};
const ready = (replicator: Replicator): Promise<boolean> =>
  waitFor(
    'replicator ready',
    () => {
      const missing = replicator.status.notReady();
      if (missing !== undefined) throw new Error(missing);
      return true;
    },
    { intervalMs: 20 },
  );
const stopAll = async (): Promise<void> => {
  await Promise.all(running.map((replicator) => replicator.stop()));
  running = [];
};
const equal = (one: Name, other: Name): Promise<boolean> =>
  waitFor(`${other} equal to ${one}`, () =>
    sameKeys(zones[one].etcd.endpoint, zones[other].etcd.endpoint, PREFIXES),
  );

/** All that a zone has kept aside of an epoch: `key=value`, or `key deleted`, with the revision that wrote it. */
async function keptIn(zone: Name, epoch: number): Promise<string[]> {
  const { client } = zones[zone];
  const kept: string[] = [];
  const about = `${ETCD_KEY.orphans}${epoch}/about/`;
  for await (const { key, value } of client.keys(prefixRange(about))) {
    const name = key.toString().slice(about.length);
    const { op, modRevision, bytes } = JSON.parse(value.toString()) as OrphanAbout;
    const copy = await zones[zone].get(`${ETCD_KEY.orphans}${epoch}/value/${name}`);
    if (op === 'put') assert.equal(Buffer.byteLength(copy ?? ''), bytes, name);
    kept.push(op === 'delete' ? `${name} deleted` : `${name}=${copy}@${modRevision}`);
  }
  return kept;
}

/** zone-a is home and then alone: zone-b has it up to a revision. Returns what only zone-a has, as {@link keptIn}. */
async function cutOff(): Promise<string[]> {
  const { 'zone-a': a, 'zone-b': b } = zones;
  const shared: [string, string][] = ['same', 'changed', 'both', 'deleted', 'agreed', 'goneToo'].map(
    (name) => [`/config/${name}`, 'before'],
  );
  await a.put(...shared, ['/tenants/t', 'before']);
  await ready(start('zone-a', 'zone-b', 1));
  await equal('zone-a', 'zone-b');
  await stopAll();
  const changed = await a.put(
    ['/config/changed', 'by a'],
    ['/config/both', 'by a'],
    ['/tenants/new', 'by a'],
  );
  await a.remove('/config/deleted', '/config/goneToo');
  await a.put(['/config/agreed', 'by both'], ['/elsewhere/x', 'not replicated']);
  await a.put(['/config/passing', 'x']);
  await a.remove('/config/passing');
  await admin.promote('zone-b', 2, 'zone-a');
  await b.put(['/config/both', 'by b'], ['/config/agreed', 'by both'], ['/config/ofb', 'by b']);
  await b.remove('/config/goneToo');
  return [
    `/config/both=by a@${changed}`,
    `/config/changed=by a@${changed}`,
    '/config/deleted deleted',
    `/tenants/new=by a@${changed}`,
  ];
}

const LARGE = 'v'.repeat(90_000);

/**
 * zone-a is home, and is gone while zone-b is given a revision that is too large for one transaction. Returns the keys of it
 * that zone-b has, and the revision before it, which zone-c has as well.
 */
async function goneInTheMiddle(): Promise<{ part: string[]; whole: bigint }> {
  await zones['zone-a'].stop();
  const a = await Zone.start('zone-a', '--max-request-bytes=12000000');
  zones['zone-a'] = a;
  const before = ['/config/00', '/tenants/changed', '/tenants/gone'];
  const whole = await a.put(...before.map((name): [string, string] => [name, 'before']));
  await ready(start('zone-a', 'zone-c', 1));
  await equal('zone-a', 'zone-c');
  await stopAll();
  const filling = start('zone-a', 'zone-b', 1);
  await ready(filling);
  const part = Array.from({ length: 20 }, (_, n) => `/config/${String(n).padStart(2, '0')}`);
  const put = (key: string, value: string): IRequestOp => ({
    request_put: { key: Buffer.from(key), value: Buffer.from(value) },
  });
  const success = [
    ...part.map((name) => put(name, LARGE)),
    // Too large for zone-b, which comes as far as this.
    put('/config/huge', 'v'.repeat(3_000_000)),
    put('/tenants/changed', 'after'),
    { request_delete_range: { key: Buffer.from('/tenants/gone') } },
  ];
  await a.client.transact({ compare: [], success, failure: [] });
  await waitFor('the part', () => filling.status.phase === 'Blocked');
  await a.etcd.kill();
  await stopAll();
  return { part, whole };
}

describe('replicate: what an old home wrote and nobody else has', () => {
  beforeEach(async () => {
    const [a, b, c] = await Promise.all(
      (['zone-a', 'zone-b', 'zone-c'] as const).map((name) => Zone.start(name)),
    );
    assert.ok(a && b && c);
    zones = { 'zone-a': a, 'zone-b': b, 'zone-c': c };
    admin = etcdAdmin({
      access: (zone) => ({ endpoints: [zones[zone as Name].etcd.endpoint] }),
      applications: undefined,
    });
  });
  afterEach(async () => {
    await endReplicatorProcesses();
    await stopAll();
    await Promise.all(Object.values(zones).map((zone) => zone.stop()));
  });

  it('is kept aside before the new home’s keys take its place, and told', async () => {
    const alone = await cutOff();
    const back = start('zone-b', 'zone-a', 2);
    await waitFor('waiting for the fence', () =>
      /waiting for the operator/.test(back.status.notReady() ?? ''),
    );
    assert.equal(await zones['zone-a'].get('/config/changed'), 'by a', 'nothing is touched before the fence');
    assert.equal(await zones['zone-a'].get(ETCD_KEY.epoch), undefined, 'nor the epoch: the fence does that');
    const late = await zones['zone-a'].put(['/config/late', 'just before the fence']);
    await admin.fence('zone-a', 2);
    await ready(back);
    await equal('zone-b', 'zone-a');
    assert.equal(await zones['zone-a'].get('/config/changed'), 'before', 'nothing is merged');
    assert.deepEqual(
      await keptIn('zone-a', 1),
      [...alone, `/config/late=just before the fence@${late}`].sort(),
    );
    const server = await startAdmin(0, back.status);
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}${ADMIN_PATH.replication}`);
      const { orphans } = (await answer.json()) as ReplicationState;
      assert.equal(orphans?.length, 1);
      const { epoch, zone, keys, deletions, at } = orphans[0] ?? {};
      assert.deepEqual({ epoch, zone, keys, deletions }, { epoch: 1, zone: 'zone-a', keys: 5, deletions: 1 });
      assert.ok(Math.abs(Date.now() - Date.parse(at ?? '')) < 60_000);
      assert.match(await back.status.metrics.registry.metrics(), /causeway_replication_orphans 5\n/);
    } finally {
      await server.close();
    }
  });

  it('of a managed etcd: what was written until etcd refused it is kept aside as well', async () => {
    const alone = await cutOff();
    const { 'zone-a': a } = zones;
    const last = await a.put(['/config/last', 'by a']);
    const fence: EtcdFence = { epoch: 2, applications: 'Refused', at: new Date().toISOString() };
    await a.put([ETCD_KEY.epoch, '2'], [ETCD_KEY.fence, JSON.stringify(fence)]);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    assert.deepEqual(await keptIn('zone-a', 1), [...alone, `/config/last=by a@${last}`].sort());
  });

  it('stays where it is: other zones never get it, and it is told until a person removes it', async () => {
    await cutOff();
    await admin.fence('zone-a', 2);
    await ready(start('zone-b', 'zone-a', 2));
    await ready(start('zone-b', 'zone-c', 2));
    await stopAll();
    for (const zone of ['zone-b', 'zone-c'] as const)
      assert.equal(await zones[zone].client.count(prefixRange(ETCD_KEY.orphans)), 0);
    const again = start('zone-b', 'zone-a', 2);
    await ready(again);
    assert.equal(again.status.state().orphans?.[0]?.keys, 4, 'told after a restart too');
    const { start: key, end } = prefixRange(`${ETCD_KEY.orphans}1/`);
    await zones['zone-a'].client.transact({
      compare: [],
      success: [{ request_delete_range: { key, range_end: end } }],
      failure: [],
    });
    await waitFor('it is told no more', () => again.status.state().orphans === undefined);
  });

  it('given somebody changed the report: the keys are told of all the same, and the new home is followed', async () => {
    await cutOff();
    await admin.fence('zone-a', 2);
    await ready(start('zone-b', 'zone-a', 2));
    await stopAll();
    const { from } = (await admin.state('zone-b')).homes?.[0] ?? {};
    for (const text of ['seen by Ann', '{"epoch":1}', 'null']) {
      await zones['zone-a'].put([`${ETCD_KEY.orphans}1/report`, text]);
      const warned: unknown[] = [];
      const warn = (_message: string, fields?: object): void => void warned.push(fields);
      const again = startReplicator(config('zone-b', 'zone-a', 2), { ...silent, warn });
      running.push(again);
      await ready(again);
      const wanted = { epoch: 1, zone: 'zone-a', since: from?.revision, deletions: 'Unknown', keys: 4 };
      assert.deepEqual(again.status.state().orphans, [wanted], text);
      assert.deepEqual(warned, [{ key: `${ETCD_KEY.orphans}1/report` }]);
      await stopAll();
    }
  });

  it('after two moves: the record of how far its own successor had come went on with the home', async () => {
    const alone = await cutOff();
    await ready(start('zone-b', 'zone-c', 2));
    await equal('zone-b', 'zone-c');
    await admin.fence('zone-b', 3);
    await admin.promote('zone-c', 3, 'zone-b');
    await stopAll();
    await zones['zone-b'].stop();
    await admin.fence('zone-a', 3);
    await ready(start('zone-c', 'zone-a', 3));
    await equal('zone-c', 'zone-a');
    assert.deepEqual(await keptIn('zone-a', 1), alone);
    zones['zone-b'] = await Zone.start('zone-b');
  });

  it('its history is compacted: puts are kept aside all the same, and it is said that deletions are not known', async () => {
    const alone = await cutOff();
    await zones['zone-a'].compact();
    await admin.fence('zone-a', 2);
    const back = start('zone-b', 'zone-a', 2);
    await ready(back);
    assert.deepEqual(
      await keptIn('zone-a', 1),
      alone.filter((line) => !line.endsWith(' deleted')),
    );
    assert.equal(back.status.state().orphans?.[0]?.deletions, 'Unknown');
  });

  it('of keys with leases: what ended there alone is told as deleted, and what was put is kept when its lease ends', async () => {
    const { 'zone-a': a } = zones;
    const endShared = await a.putLeased(600, ['/config/shared', 'before']);
    await ready(start('zone-a', 'zone-b', 1));
    await equal('zone-a', 'zone-b');
    await stopAll();
    await endShared();
    const endAlone = await a.putLeased(600, ['/config/alone', 'by a']);
    const written = await a.modRevision('/config/alone');
    await admin.promote('zone-b', 2, 'zone-a');
    await admin.fence('zone-a', 2);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    await endAlone();
    assert.equal(await a.get('/config/shared'), 'before', 'the new home has it, and nobody ends it there');
    assert.deepEqual(await keptIn('zone-a', 1), [`/config/alone=by a@${written}`, '/config/shared deleted']);
  });

  it('given a revision that the next home has in part: the part stays, and the old home keeps the rest aside', async () => {
    const { part, whole } = await goneInTheMiddle();
    const { 'zone-a': a, 'zone-b': b, 'zone-c': c } = zones;
    const { from } = await admin.promote('zone-b', 2, 'zone-a');
    assert.equal(from?.revision, String(whole), 'it says of itself that it has the revisions before');
    await b.put(['/config/after', 'by b']);
    for (const name of part) assert.equal(await b.get(name), LARGE);
    assert.equal(await b.get('/tenants/changed'), 'before');
    assert.equal(await c.get('/config/00'), 'before');
    await ready(start('zone-b', 'zone-c', 2));
    await equal('zone-b', 'zone-c');
    assert.equal(await c.get('/config/00'), LARGE, 'who follows it gets the part as well');
    await a.etcd.start();
    await admin.fence('zone-a', 2);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    const rest = (await keptIn('zone-a', 1)).map((line) => line.split('=')[0]);
    assert.deepEqual(rest, ['/config/huge', '/tenants/changed', '/tenants/gone deleted']);
  });

  it('its volume was lost: there is nothing to keep, and it follows', async () => {
    await zones['zone-a'].put(
      ...Array.from({ length: 9 }, (_, n): [string, string] => [`/config/${n}`, 'v']),
    );
    for (let n = 0; n < 20; n++) await zones['zone-a'].put([`/config/${n}`, 'w']);
    await cutOff();
    await zones['zone-a'].stop();
    zones['zone-a'] = await Zone.start('zone-a');
    await admin.fence('zone-a', 2);
    const back = start('zone-b', 'zone-a', 2);
    await ready(back);
    await equal('zone-b', 'zone-a');
    assert.equal(back.status.state().orphans, undefined);
    // By now it is no longer younger than what went over from it.
    for (let n = 0; n < 60; n++) await zones['zone-a'].put(['/elsewhere/x', String(n)]);
    await zones['zone-b'].put(['/config/both', 'by b, while followed']);
    await equal('zone-b', 'zone-a');
    assert.equal((await repaired()).status.state().orphans, undefined, 'what it has is the new home’s');
  });

  /** What the docs tell people to do about a checkpoint that can't be used, while the new home has gone on. */
  async function repaired(): Promise<Replicator> {
    await stopAll();
    await zones['zone-b'].put(['/config/both', 'by b, later'], ['/config/ofb', 'by b, later']);
    await zones['zone-a'].remove(ETCD_KEY.checkpoint);
    const again = start('zone-b', 'zone-a', 2);
    await ready(again);
    await equal('zone-b', 'zone-a');
    return again;
  }

  it('stays as it was kept when the checkpoint is deleted by hand: what is here by then is the new home’s', async () => {
    const alone = await cutOff();
    await admin.fence('zone-a', 2);
    const back = start('zone-b', 'zone-a', 2);
    await ready(back);
    await equal('zone-b', 'zone-a');
    const told = back.status.state().orphans;
    assert.equal(told?.length, 1);
    const again = await repaired();
    assert.deepEqual(await keptIn('zone-a', 1), alone);
    assert.deepEqual(again.status.state().orphans, told);
  });

  it('given there was nothing, nothing is found either after the checkpoint is deleted by hand', async () => {
    const { 'zone-a': a } = zones;
    await a.put(['/config/both', 'before'], ['/config/ofb', 'before']);
    await ready(start('zone-a', 'zone-b', 1));
    await equal('zone-a', 'zone-b');
    await stopAll();
    await admin.promote('zone-b', 2, 'zone-a');
    await admin.fence('zone-a', 2);
    await zones['zone-b'].put(['/config/both', 'by b'], ['/config/ofb', 'by b']);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    assert.equal((await repaired()).status.state().orphans, undefined);
  });

  it('is most of its keys: they are kept aside, and the new home, whose promotion is on record, is followed', async () => {
    const alone = await cutOff();
    const many = Array.from({ length: 40 }, (_, n): [string, string] => [`/tenants/m${n + 10}`, 'by a']);
    const at = await zones['zone-a'].put(...many);
    await admin.fence('zone-a', 2);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    assert.deepEqual(
      await keptIn('zone-a', 1),
      [...alone, ...many.map(([key]) => `${key}=by a@${at}`)].sort(),
    );
  });

  it('too much to be kept aside: it stands still, nothing is overwritten, and it says what to do', async () => {
    await cutOff();
    await admin.fence('zone-a', 2);
    const { revision } = await zones['zone-a'].client.head();
    const job = await aside(zones['zone-a'].client);
    for (const limits of [
      { keys: 3, bytes: 1e6 },
      { keys: 100, bytes: 40 },
    ])
      await assert.rejects(
        keepAside({ ...job, limits }),
        /more than .* Nothing was overwritten\. Save them .* put the key \/causeway\.dev\/kept-aside\/2 in zone-a/,
      );
    assert.equal((await zones['zone-a'].client.head()).revision, revision);
    await zones['zone-a'].put(['/causeway.dev/kept-aside/2', 'saved by Ann']);
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    assert.deepEqual(await keptIn('zone-a', 1), []);
  });

  it('a target with lower limits than usual is found out, and a single value that it refuses blocks by its name', async () => {
    await zones['zone-a'].stop();
    const a = await Zone.start('zone-a', '--max-txn-ops=64', '--max-request-bytes=200000');
    zones['zone-a'] = a;
    const alone = await cutOff();
    const written: string[] = [];
    for (let n = 100; n < 220; n++) {
      const value = `${n}${'v'.repeat(n % 2 === 0 ? 9000 : 9)}`;
      written.push(`/tenants/m${n}=${value}@${await a.put([`/tenants/m${n}`, value])}`);
    }
    await a.put(['/tenants/whole', 'v'.repeat(199_900)]);
    await admin.fence('zone-a', 2);
    const back = start('zone-b', 'zone-a', 2);
    await waitFor('blocked', () => back.status.phase === 'Blocked');
    assert.match(back.status.notReady() ?? '', /"\/tenants\/whole" is too large to be kept aside/);
    assert.equal(await a.get('/config/changed'), 'by a', 'nothing is overwritten yet');
    await a.remove('/tenants/whole');
    await ready(back);
    await equal('zone-b', 'zone-a');
    assert.deepEqual((await keptIn('zone-a', 1)).sort(), [...alone, ...written].sort());
  });

  /** The work itself, with a client of our own. */
  async function aside(client: EtcdClient): Promise<Parameters<typeof keepAside>[0]> {
    const state = await admin.state('zone-b');
    const { from } = state.homes?.[0] ?? {};
    assert.ok(from);
    return {
      source: zones['zone-b'].client,
      target: new Target(client, { zone: 'zone-b', epoch: 2 }),
      zone: 'zone-a',
      lost: { epoch: from.epoch, since: BigInt(from.revision), fencedAt: 2 },
      prefixes: PREFIXES,
      limits: { keys: 1000, bytes: 1e6 },
      log: silent,
      signal: new AbortController().signal,
    };
  }

  it('given a crash before or after any request, the next run keeps exactly the same aside', async () => {
    const alone = await cutOff();
    const many = Array.from({ length: 150 }, (_, n): [string, string] => [`/tenants/m${n + 100}`, `${n}`]);
    const at = await zones['zone-a'].put(...many.slice(0, 100));
    const rest = await zones['zone-a'].put(...many.slice(100));
    const wanted = [
      ...alone,
      ...many.map(([key, value], n) => `${key}=${value}@${n < 100 ? at : rest}`),
    ].sort();
    await admin.fence('zone-a', 2);
    let steps = 0;
    for (let completed = false; !completed; steps++) {
      let left = steps;
      const crashing = new Proxy(zones['zone-a'].client, {
        get: (client, name: keyof EtcdClient) => {
          if (name !== 'transact' && name !== 'range') return Reflect.get(client, name, client) as unknown;
          return async (request: never) => {
            if (left === 0) throw new Error('crashed before');
            left -= 1;
            const answer: unknown = await client[name](request);
            if (left === 0) throw new Error('crashed after');
            return answer;
          };
        },
      });
      completed = await keepAside(await aside(crashing)).then(
        () => true,
        (error: Error) => assert.match(error.message, /crashed/) ?? false,
      );
      assert.equal(await zones['zone-a'].get('/config/changed'), 'by a', 'nothing is overwritten yet');
    }
    assert.ok(steps > 8, `only ${steps} requests`);
    await ready(start('zone-b', 'zone-a', 2));
    assert.deepEqual((await keptIn('zone-a', 1)).sort(), wanted);
    await equal('zone-b', 'zone-a');
  });

  it('the replicator is killed again and again on the way: all is kept aside, and the new home followed', async () => {
    const alone = await cutOff();
    const value = 'v'.repeat(20_000);
    const revisions: string[] = [];
    for (let n = 100; n < 250; n++)
      revisions.push(
        `/tenants/m${n}=${n}${value}@${await zones['zone-a'].put([`/tenants/m${n}`, `${n}${value}`])}`,
      );
    await admin.fence('zone-a', 2);
    for (let kills = 0; kills < 6; kills++) {
      const { revision } = await zones['zone-a'].client.head();
      const child = startReplicatorProcess(config('zone-b', 'zone-a', 2));
      await waitFor(
        'some step',
        async () => (await zones['zone-a'].client.head()).revision > revision + BigInt(kills),
        {
          intervalMs: 1,
          timeoutMs: 5000,
        },
      ).catch(() => undefined);
      await child.end('SIGKILL');
    }
    await ready(start('zone-b', 'zone-a', 2));
    await equal('zone-b', 'zone-a');
    assert.deepEqual((await keptIn('zone-a', 1)).sort(), [...alone, ...revisions].sort());
  });
});
