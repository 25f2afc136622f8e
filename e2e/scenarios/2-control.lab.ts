/** What a person does to a failover that is under way, and one that cannot go on: all is as before afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Centrifuge } from 'centrifuge';
import type { ZoneFailoverStatus } from '@causeway/crds';
import { nodes } from '../lab/index.ts';
import { connect, platformAccess, sdkClient } from '../platform/index.ts';
import { Failovers, readyToFail, withstand, type Place } from './failover.ts';
import { eventually, scenario } from './support.ts';
import { frontZones, gatewayIn } from './traffic.ts';

const NAME = 'control';
/** So many that sending them away, one a second, takes longer than it takes to say something. */
const CROWD = 12;
const lab = scenario('scenario-control', {
  setUp: (scene) =>
    readyToFail(scene, NAME, (spec) => {
      spec.failover = { ...spec.failover, drainPerSecond: 1 };
    }),
});
const own = new Failovers(lab, NAME);

/**
 * Clients that are on the home's gateway until it sends them away, and then on the next zone's, while `work` runs. It is given who
 * of them has lost a connection so far.
 */
async function withCrowd(
  { home, next }: Place,
  work: (sent: readonly string[]) => Promise<void>,
): Promise<void> {
  const access = await platformAccess(lab.kube, lab.namespace, NAME);
  const [there, then] = [await gatewayIn(lab, NAME, home), await gatewayIn(lab, NAME, next)];
  const crowd: Centrifuge[] = [];
  const sent: string[] = [];
  try {
    for (let index = 0; index < CROWD; index += 1) {
      let attempts = 0;
      const pick = (): typeof there => (attempts++ === 0 ? there : then);
      const user = `crowd-${index}`;
      const client = await sdkClient(access, pick, { user });
      crowd.push(client);
      await connect(client);
      client.on('connecting', () => void sent.push(user));
    }
    await work(sent);
  } finally {
    for (const client of crowd) client.disconnect();
  }
}

/** Waits until the failover's status is so. */
function until(
  what: string,
  name: string,
  is: (status: ZoneFailoverStatus) => boolean,
): Promise<ZoneFailoverStatus> {
  return eventually(what, async () => {
    const status = (await own.find(name))?.status;
    return status !== undefined && is(status) ? status : undefined;
  });
}

function clientsIn({ zones = [] }: ZoneFailoverStatus, zone: string): number | undefined {
  return zones.find(({ name }) => name === zone)?.connections;
}

/** The command says that it went back: its exit code is 2. Gives its last words. */
async function wentBack(command: Promise<string>): Promise<string> {
  const said = await command.then(
    () => assert.fail('it was to go back, and ended well'),
    (error: unknown) => String(error),
  );
  assert.match(said, /: exit 2\n/);
  return said;
}

/** The home is where it was, with that many more epochs, and the drill holds nothing. */
async function assertWentBack(name: string, home: string, epoch: number): Promise<ZoneFailoverStatus> {
  assert.equal(await own.ended(name), 'RolledBack');
  const now = await own.status();
  assert.deepEqual([now.homeZone, now.epoch], [home, epoch]);
  await eventually(
    'what was made for it is gone',
    async () => (await own.status()).gateways?.summary === '3/3',
  );
  return (await own.get(name)).status ?? {};
}

test('a drill is paused while clients are sent away, goes on when it is told to, and goes back from Hold when it is aborted', async () => {
  await withstand(lab, NAME, async (place) => {
    const { home, next, traffic } = place;
    const { epoch = 0 } = await own.status();
    const isLedTo = async (): Promise<boolean> => (await frontZones(lab, NAME)).has(home);
    await withCrowd(place, async (sent) => {
      await eventually('the front Service leads to the home', isLedTo);
      const drill = wentBack(own.start('paused', '--from', home, '--to-home', next, '--hold', '10m'));
      await until('clients are sent away', 'paused', (status) => status.phase === 'Drain');
      await eventually('the front Service leads to the home no more', async () => !(await isLedTo()));
      // Its gateway gives notice for seconds first.
      assert.deepEqual(sent, [], 'sent away while the front Service may have led them there again');
      await own.control('pause', 'paused');
      const paused = await until('it is paused', 'paused', ({ pausedSince }) => pausedSince !== undefined);
      assert.equal(paused.phase, 'Drain');
      // The gateway goes on with what it was told. When it is empty, and a moment later, only the pause holds the drill.
      const empty = await until('the zone is empty', 'paused', (status) => clientsIn(status, home) === 0);
      await traffic.flows(100);
      const { status: held } = await own.get('paused');
      assert.deepEqual([empty.phase, held?.phase, held?.phases?.at(-1)?.gate], ['Drain', 'Drain', 'Paused']);
      assert.match(held?.message ?? '', /causeway failover pause --resume goes on/);
      assert.equal(await isLedTo(), false, 'nobody is led there meanwhile');
      assert.equal(new Set(sent).size, CROWD, 'the gateway sent all its clients away');
      assert.equal((await own.status()).homeZone, home, 'nothing moves meanwhile');
      await own.control('pause', 'paused', '--resume');
      await until('it is held', 'paused', ({ phase }) => phase === 'Hold');
      assert.equal((await own.status()).homeZone, next);
      await traffic.flows(25);
      await own.control('abort', 'paused');
      lab.progress.note(await drill);
    });
    // There and back.
    const { cause, pausedMs = 0 } = await assertWentBack('paused', home, epoch + 2);
    assert.equal(cause, 'Aborted');
    assert.ok(pausedMs > 0);
    await eventually('the front Service leads to the home again', isLedTo);
  });
});

test('a drill is aborted while clients are sent away: the home has not moved, and the zone serves again', async () => {
  await withstand(lab, NAME, async (place) => {
    const { home } = place;
    const { epoch = 0 } = await own.status();
    await withCrowd(place, async () => {
      const drill = wentBack(own.start('aborted', '--from', home, '--hold', '10m'));
      await until('clients are sent away', 'aborted', ({ phase }) => phase === 'Drain');
      await own.control('abort', 'aborted');
      lab.progress.note(await drill);
    });
    const { cause, phases = [] } = await assertWentBack('aborted', home, epoch);
    assert.equal(cause, 'Aborted');
    assert.ok(!phases.some(({ name }) => name === 'Fence'), 'nobody was fenced');
  });
});

test('a drill for which the others find no room is out of time, and goes back before anything has moved', async () => {
  await withstand(lab, NAME, async ({ home, third, traffic }) => {
    const { epoch = 0 } = await own.status();
    const node = nodes.find(({ zone }) => zone === third)?.name ?? '';
    await lab.kube.kubectl(['cordon', node]);
    try {
      const drill = wentBack(own.start('no-room', '--from', home, '--hold', '1s', '--timeout', '20s'));
      await until('it waits', 'no-room', ({ phase, message = '' }) => {
        return phase === 'Prepare' && message.includes(`${third} has 1`);
      });
      await traffic.flows(25);
      lab.progress.note(await drill);
    } finally {
      await lab.kube.kubectl(['uncordon', node]);
    }
    const { cause, message, phases = [] } = await assertWentBack('no-room', home, epoch);
    assert.equal(cause, 'TimedOut');
    assert.match(message ?? '', /not verified within 20s: in Prepare, .* is to have 2 ready gateways/);
    assert.ok(!phases.some(({ name }) => name === 'Drain'), 'no client was sent away');
  });
});
