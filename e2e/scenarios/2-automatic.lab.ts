/**
 * A zone that goes, and nobody types anything: the platform leaves it by itself, seldom, and takes it back when it stays. After
 * each the same holds as in 2-outage.lab.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL, type MessagePlatformStatus, type ZoneFailover } from '@causeway/crds';
import { MOST_EMERGENCIES, SAME_ZONE_MS } from '../../operator/src/failover/automatic.ts';
import { cut, heal } from '../lab/index.ts';
import { Failovers, outage, readyToFail, withstand } from './failover.ts';
import { eventually, scenario } from './support.ts';

const NAME = 'automatic';
const CUT = [cut, heal] as const;
const lab = scenario('scenario-automatic', {
  setUp: (scene) =>
    readyToFail(scene, NAME, (spec) => {
      spec.failover = { ...spec.failover, automatic: true };
    }),
});
const own = new Failovers(lab, NAME);

type Said = NonNullable<MessagePlatformStatus['automaticFailover']>;

/** Waits until the platform says that it watches, and could act. */
function watching(): Promise<Said> {
  return eventually('the zones watch each other', async () => {
    const { automaticFailover: said } = await own.status();
    return said?.reason === 'Watching' ? said : undefined;
  });
}

/** Emergencies that nobody asked for, the newest at the end. */
async function made(): Promise<ZoneFailover[]> {
  const args = ['-n', lab.namespace, 'get', 'zonefailovers', '-l', `${LABEL.automatic}=true`];
  const { items } = await lab.kube.json<{ items: ZoneFailover[] }>(args);
  return items.toSorted((a, b) => madeAt(a) - madeAt(b));
}

function madeAt({ metadata }: ZoneFailover): number {
  return Date.parse(metadata.creationTimestamp);
}

/** Waits until a new one has left the zone, and says when; what it was made of is what witnesses say, and the status has it. */
async function leaves(zone: string, known: readonly ZoneFailover[]): Promise<string> {
  const began = performance.now();
  const emergency = await eventually(`${zone} is left`, async () => {
    const newest = (await made()).slice(known.length).at(-1);
    return newest?.status?.phase === 'Succeeded' ? newest : undefined;
  });
  const after = ((performance.now() - began) / 1000).toFixed(1);
  const { name, uid } = emergency.metadata;
  lab.progress.note(`${name} has ended ${after} s after the cut: ${emergency.status?.message ?? ''}`);
  assert.deepEqual([emergency.spec.fromZone, emergency.spec.mode], [zone, 'Emergency']);
  assert.notEqual((await own.status()).homeZone, zone);
  // A witness that does not answer within a second, as on a busy machine, is none at that look.
  const said = await eventually('both others miss it', async () => {
    const { automaticFailover } = await own.status();
    const missedBy = automaticFailover?.zones?.find((one) => one.zone === zone)?.missedBy;
    return missedBy?.length === 2 ? automaticFailover : undefined;
  });
  assert.deepEqual(
    said.emergencies?.slice(known.length).map((one) => [one.zone, one.failover, one.uid]),
    [[zone, name, uid]],
    'the status names it',
  );
  return name;
}

test('the home zone is cut off: the platform moves its home by itself, and the zone follows when it is back', async () => {
  await watching();
  await withstand(lab, NAME, async ({ home, traffic }) => {
    const name = await outage(home, CUT, async () => {
      const emergency = await leaves(home, []);
      await traffic.flows(25);
      await traffic.movedFrom(home);
      return emergency;
    });
    assert.equal(await own.ended(name), 'Succeeded');
    await watching();
    assert.notEqual((await own.status()).homeZone, home, 'going back is for people');
  });
  assert.equal((await made()).length, 1);
});

test('the home zone comes and goes: it is left once, serves when it stays, and is not left again soon', async () => {
  await watching();
  const known = await made();
  await withstand(lab, NAME, async ({ home, traffic }) => {
    const name = await outage(home, CUT, () => leaves(home, known));
    const isBack = async (): Promise<boolean> => (await own.get(name)).status?.backSince !== undefined;
    for (let times = 0; times < 2; times += 1) {
      await eventually(`${home} is seen to be back`, isBack);
      await outage(home, CUT, () => eventually(`${home} is gone again`, async () => !(await isBack())));
      assert.equal((await own.get(name)).status?.holds, true, 'it does not serve in between');
      await traffic.flows(25);
    }
    assert.equal(await own.ended(name), 'Succeeded');
    assert.equal((await made()).length, known.length + 1);
    await watching();
    assert.notEqual((await own.status()).homeZone, home, 'going back is for people');
    // Either it is too soon, or so slow a machine that it is not.
    await outage(home, CUT, () =>
      eventually(`${home} is missed for long enough`, async () => {
        const isTooSoon = (await own.status()).automaticFailover?.reason === 'RecentEmergency';
        return isTooSoon || (await made()).length > known.length + 1;
      }),
    );
    for (const { metadata } of await made()) await own.ended(metadata.name);
    await watching();
  });
  const all = await made();
  assert.ok(all.length <= MOST_EMERGENCIES, `${all.length} in less than an hour`);
  for (const [index, one] of all.entries()) {
    const before = all.slice(0, index).findLast(({ spec }) => spec.fromZone === one.spec.fromZone);
    // Objects have whole seconds.
    const apart = before === undefined ? Infinity : madeAt(one) - madeAt(before) + 1_000;
    assert.ok(
      apart >= SAME_ZONE_MS,
      `${one.metadata.name} was made ${apart / 1_000} s after one of the same zone`,
    );
  }
});
