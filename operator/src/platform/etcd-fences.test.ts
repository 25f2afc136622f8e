import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HomeRecord } from '@causeway/crds';
import type { EtcdAdmin, EtcdState } from './etcd-admin.ts';
import { planEtcdFences, reconcileEtcdFences } from './etcd-fences.ts';
import { homeRecord, parseRecords, withHome } from './etcd-records.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';
import type { Pod } from './workloads.ts';

const at = '2026-11-25T10:00:00.000Z';
const fenced = (epoch: number): EtcdState => ({
  reachable: true,
  epoch,
  fenced: true,
  applications: 'MayRead',
  fence: { epoch, applications: 'Refused', at },
});
const home = (epoch: number, zone: string): HomeRecord => ({ epoch, zone, at });

describe('planEtcdFences', () => {
  const plan = (states: Record<string, EtcdState>): string[] =>
    planEtcdFences({ epoch: 3, home: 'zone-b' }, new Map(Object.entries(states))).map(
      ({ zone, act }) => `${act} ${zone}`,
    );

  it('everything as it should be: nothing to do', () => {
    const homes = [home(3, 'zone-b')];
    const open: EtcdState = { reachable: true, epoch: 3, fenced: false, applications: 'MayWrite', homes };
    assert.deepEqual(plan({ 'zone-a': fenced(3), 'zone-b': open, 'zone-c': fenced(3) }), []);
  });

  it('an old home that is back, and one of an earlier epoch, are fenced; one out of reach is left alone', () => {
    const back: EtcdState = { reachable: true, epoch: 1, fenced: false };
    assert.deepEqual(plan({ 'zone-a': back, 'zone-c': fenced(2) }), ['fence zone-a', 'fence zone-c']);
    assert.deepEqual(plan({ 'zone-a': { reachable: false, trouble: 'gone' } }), []);
  });

  it('one that knows of a later move is left alone', () => {
    assert.deepEqual(plan({ 'zone-a': { ...fenced(4), fenced: false } }), []);
  });

  it('a home is released only when it is recorded as the home', () => {
    const half: EtcdState = { reachable: true, epoch: 3, fenced: false, applications: 'MayRead' };
    assert.deepEqual(plan({ 'zone-b': half }), []);
    assert.deepEqual(plan({ 'zone-b': { ...half, homes: [home(3, 'zone-b')] } }), ['release zone-b']);
    assert.deepEqual(plan({ 'zone-b': { ...half, homes: [home(2, 'zone-b')] } }), []);
  });
});

describe('reconcileEtcdFences', () => {
  const pod = (zone: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `orders-etcd-${zone}-0`,
      labels: { 'causeway.dev/component': 'etcd', 'causeway.dev/zone': zone },
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const run = async (
    change: (platform: MessagePlatform) => void,
    fence: EtcdAdmin['fence'],
    paused = false,
  ): Promise<{ asked: string[]; problems: string[] }> => {
    const asked: string[] = [];
    const admin: EtcdAdmin = {
      state: async (zone) => {
        asked.push(zone);
        return zone === 'zone-c' ? { reachable: false, trouble: 'no route' } : { reachable: true, epoch: 1 };
      },
      fence,
      promote: () => Promise.reject(new Error('nobody asked for that')),
    };
    const platform = ordersPlatform((one) => {
      one.status = { homeZone: 'zone-b', epoch: 2 };
      change(one);
    });
    const problems = await reconcileEtcdFences({ etcd: () => admin }, platform, {
      pods: ['zone-a', 'zone-b', 'zone-c'].map(pod),
      secret: undefined,
      paused,
    });
    return { asked: asked.sort(), problems: problems.map(({ message }) => message) };
  };
  const acts: string[] = [];
  const note: EtcdAdmin['fence'] = async (zone, epoch) => {
    acts.push(`${zone} ${epoch}`);
    return { epoch, applications: 'Refused', at, revision: '9' };
  };

  it('fences what is not home, and says who does not answer', async () => {
    const { problems } = await run(() => undefined, note);
    assert.deepEqual(acts.splice(0), ['zone-a 2']);
    assert.deepEqual(problems, [
      'The etcd of zone-c does not answer the operator: no route. It is tried again.',
    ]);
  });

  it('a fence that fails is a problem, and not the end', async () => {
    const { problems } = await run(
      () => undefined,
      () => Promise.reject(new Error('timed out')),
    );
    assert.equal(problems.length, 2);
    assert.match(problems[1] ?? '', /zone-a does not answer the operator: timed out/);
  });

  it('before the first move, and while paused, no etcd is asked', async () => {
    const first = await run((platform) => Object.assign(platform.status ?? {}, { epoch: 1 }), note);
    const paused = await run(() => undefined, note, true);
    assert.deepEqual([first.asked, paused.asked], [[], []]);
    assert.deepEqual(acts, []);
  });

  it('during a failover the home is not asked, and an old home that is back is fenced', async () => {
    const { asked, problems } = await run(
      (platform) => Object.assign(platform.status ?? {}, { failover: { name: 'fire' } }),
      note,
    );
    assert.deepEqual(asked, ['zone-a', 'zone-c']);
    assert.deepEqual(acts.splice(0), ['zone-a 2']);
    assert.deepEqual(problems, [], 'that a zone is gone is the failover itself');
  });
});

describe('records in etcd', () => {
  const none = { epoch: undefined, checkpoint: undefined, fence: undefined, homes: undefined };

  it('what is not there is undefined, and what is not ours is said', () => {
    assert.deepEqual(parseRecords(none), { ...none, homes: [] });
    for (const [name, value] of [
      ['epoch', 'x'],
      ['epoch', '-1'],
      ['checkpoint', '{}'],
      ['fence', '{"epoch":1}'],
      ['homes', '{'],
      ['homes', '[{"epoch":1}]'],
    ] as const)
      assert.throws(() => parseRecords({ ...none, [name]: value }), new RegExp(`the ${name} in it`), value);
  });

  it('only the last homes are remembered, in order, each epoch once', () => {
    let homes: HomeRecord[] = [];
    for (let epoch = 1; epoch <= 40; epoch += 1) homes = withHome(homes, home(epoch, `zone-${epoch % 3}`));
    homes = withHome(homes, home(40, 'zone-z'));
    assert.equal(homes.length, 16);
    assert.deepEqual(homes.at(-1), home(40, 'zone-z'));
    assert.deepEqual(
      homes.map(({ epoch }) => epoch),
      Array.from({ length: 16 }, (_, index) => 25 + index),
    );
  });

  it('a revision that is there in part is no reason to refuse a promotion', () => {
    const checkpoint = {
      sourceClusterId: '1',
      revision: '12',
      epoch: 2,
      prefixes: [],
      partial: { revision: '13', changes: 5 },
    };
    const record = homeRecord({ zone: 'zone-b', epoch: 3, from: 'zone-a' }, { checkpoint, homes: [] }, at);
    assert.deepEqual(record.from, { zone: 'zone-a', revision: '12', epoch: 2 });
  });
});

describe('a promotion of a zone that held the old home before', () => {
  const became = (epoch: number, zone: string, from: string): HomeRecord => ({
    ...home(epoch, zone),
    from: { zone: from, revision: '7', epoch: epoch - 1 },
  });
  /** From zone-b, home since the move of epoch 4, to zone-a, which holds it as of `epoch`. */
  const promoted = (epoch: number, homes: HomeRecord[], settled?: number): HomeRecord => {
    const checkpoint = { sourceClusterId: '1', homeZone: 'zone-b', revision: '500', epoch, prefixes: [] };
    return homeRecord({ zone: 'zone-a', epoch: 9, from: 'zone-b', settled }, { checkpoint, homes }, at);
  };
  const history = [became(2, 'zone-b', 'zone-a'), became(3, 'zone-a', 'zone-b')];

  it('is refused when another zone was home since, or the old home became it anew', () => {
    assert.throws(() => promoted(2, history), {
      name: 'PromotionRefusedError',
      message:
        /holds the keys of zone-b as of epoch 2, and zone-a became home in epoch 3\. Wait for its next/,
    });
    const told = [...history, became(4, 'zone-b', 'zone-a')];
    assert.throws(() => promoted(2, told), /zone-b became home in epoch 4/);
    assert.throws(() => promoted(2, [told[2] ?? home(0, '')]), /zone-b became home in epoch 4/);
  });

  it('is done once it follows the home of now, as on the way back of a drill', () => {
    const told = [...history, became(4, 'zone-b', 'zone-a')];
    assert.equal(promoted(4, told).from?.revision, '500');
    assert.equal(promoted(4, history).from?.revision, '500');
  });

  it('is done when the home was fenced and given back meanwhile, whoever was to take over', () => {
    const told = [...history, became(4, 'zone-b', 'zone-a')];
    const givenBack = [...told, became(5, 'zone-c', 'zone-b'), home(6, 'zone-b')];
    assert.equal(promoted(4, givenBack).from?.revision, '500');
    assert.throws(() => promoted(2, givenBack), /zone-b became home in epoch 4/);
    const moved = [...givenBack, became(7, 'zone-c', 'zone-b'), became(8, 'zone-b', 'zone-c')];
    assert.throws(() => promoted(4, moved), /zone-b became home in epoch 8/);
  });

  it('is done when it was to take over before in the same failover, and another was tried in between', () => {
    const tried = [...history, became(5, 'zone-a', 'zone-b')];
    assert.equal(promoted(4, tried, 4).from?.revision, '500');
    assert.throws(() => promoted(4, tried, 5), /zone-a became home in epoch 5/);
  });
});
