/**
 * What may happen to a zone, and to a failover while it is under way, each under traffic. After each: nothing that was
 * acknowledged is lost, nobody who recovered saw anything twice, all etcds are equal, and the platform is Ready.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { COMPONENT } from '@causeway/crds';
import { cut, heal, kafkaBrokers, kill, mute, revive, unmute, zones } from '../lab/index.ts';
import { EtcdClient } from './etcd-client.ts';
import { Failovers, outage, readyToFail, withstand, type Place } from './failover.ts';
import { leader, newLeader, zoneOfLeader } from './operator.ts';
import { metricsOfPods, sumOf } from './pod-metrics.ts';
import { eventually, scenario } from './support.ts';

const NAME = 'outage';
const lab = scenario('scenario-outage', {
  setUp: (scene) => readyToFail(scene, NAME),
});
const own = new Failovers(lab, NAME);

interface Fault {
  what: string;
  run: (place: Place) => Promise<void>;
}

/** Moves the home out of a zone that is gone, for so long that its client has noticed, and says what became of it. */
async function emergency(name: string, { home, next, traffic }: Place): Promise<void> {
  lab.progress.note((await own.start(name, '--from', home, '--mode', 'Emergency', '--to-home', next)).trim());
  assert.equal((await own.status()).homeZone, next);
  await traffic.flows(25);
  await traffic.movedFrom(home);
}

/** Snapshots that a zone's replicator has begun for that reason since it began to run. */
async function snapshotsOf(zone: string, reason: string): Promise<number> {
  const texts = await metricsOfPods(lab, { platform: NAME, component: COMPONENT.replicator, zone });
  return sumOf(texts.join('\n'), `causeway_replication_snapshots_total{reason="${reason}"}`);
}

/** The command is refused or goes back: both are right, so its words are only noted. */
async function noted(command: Promise<string>): Promise<void> {
  const said = await command.catch((error: unknown) => String(error));
  lab.progress.note(said.trim());
}

const KILLED = [kill, revive] as const;
const CUT = [cut, heal] as const;
const MUTED = [mute, unmute] as const;

const FAULTS: readonly Fault[] = [
  {
    what: 'the home zone is killed, its Kafka broker with it',
    async run(place) {
      await outage(place.home, KILLED, async () => {
        await emergency('killed', place);
        await eventually('two brokers are left', async () => (await kafkaBrokers()).length === 2);
      });
      assert.equal(await own.ended('killed'), 'Succeeded');
      await eventually('three brokers', async () => (await kafkaBrokers()).length === 3);
    },
  },
  {
    what: 'the home zone hears all and is heard by nobody',
    async run(place) {
      await outage(place.home, MUTED, () => emergency('muted', place));
      assert.equal(await own.ended('muted'), 'Succeeded');
    },
  },
  {
    what: "the zone of the operator's leader is cut off",
    async run({ traffic }) {
      const zone = await zoneOfLeader(lab.kube);
      const before = await leader(lab.kube);
      const { homeZone = '' } = await own.status();
      const next = zones.find((one) => one !== zone && one !== homeZone) ?? '';
      await outage(zone, CUT, async () => {
        await newLeader(lab.kube, before);
        const to = zone === homeZone ? ['--to-home', next] : [];
        lab.progress.note((await own.start('leader', '--from', zone, '--mode', 'Emergency', ...to)).trim());
        await traffic.flows(25);
        await traffic.movedFrom(zone);
      });
      assert.equal(await own.ended('leader'), 'Succeeded');
    },
  },
  {
    what: 'the next home is killed in the middle of a planned move',
    async run({ home, next, traffic }) {
      const args = ['--from', home, '--mode', 'Planned', '--to-home', next];
      const command = noted(own.start('target', ...args, '--timeout', '10m'));
      await eventually('it drains', async () => (await own.get('target')).status?.phase === 'Drain', 120_000);
      await outage(next, KILLED, async () => {
        await command;
      });
      lab.progress.note(`the move ended as ${await own.ended('target')}`);
      await traffic.flows(25);
      assert.ok(traffic.longestSilence < 60, `${traffic.longestSilence} s without a publication`);
    },
  },
  {
    what: 'etcd is compacted while a zone is gone, which takes a snapshot when it is back',
    async run({ home, third }) {
      const etcd = await EtcdClient.start(lab, NAME, home);
      await etcd.put(home, '/config/gone', 'soon');
      await eventually('the zone has it', async () => (await etcd.get(third, '/config/gone')) === 'soon');
      // Killed, not cut: a connection that outlives the outage has what was compacted meanwhile on its way.
      await outage(third, KILLED, async () => {
        for (let number = 0; number < 20; number += 1)
          await etcd.put(home, '/config/compacted', String(number));
        await etcd.delete(home, '/config/gone');
        await etcd.compact(home);
      });
      await eventually(
        'the zone has the last value',
        async () => (await etcd.get(third, '/config/compacted')) === '19',
      );
      assert.equal(await etcd.get(third, '/config/gone'), '', 'what the source lacks is deleted');
      assert.equal(await snapshotsOf(third, 'compacted'), 1, 'what it missed could not be watched any more');
    },
  },
  {
    what: 'a second failover is asked for during the first, and waits for its end',
    async run({ home, next, third }) {
      const first = own.start('first', '--from', home, '--to-home', next, '--hold', '5s');
      await eventually('it has begun', async () => {
        const phase = (await own.find('first'))?.status?.phase;
        return phase !== undefined && phase !== 'Queued' && phase !== 'Preflight';
      });
      const second = own.start('second', '--from', third, '--hold', '1s');
      await eventually('the second one waits', async () => {
        const { phase, message } = (await own.find('second'))?.status ?? {};
        return phase === 'Queued' && message === 'ZoneFailover first goes first.';
      });
      assert.equal((await own.get('first')).status?.finishedAt, undefined);
      lab.progress.note((await first).trim());
      lab.progress.note((await second).trim());
      assert.deepEqual([await own.ended('first'), await own.ended('second')], ['Succeeded', 'Succeeded']);
      const [one, other] = [(await own.get('first')).status, (await own.get('second')).status];
      assert.ok(
        Date.parse(other?.startedAt ?? '') >= Date.parse(one?.finishedAt ?? ''),
        'the second began when the first had ended',
      );
    },
  },
  {
    what: 'an emergency is asked for during a drill, which turns back for it',
    async run({ home, next, third, traffic }) {
      const drill = noted(own.start('turns-back', '--from', third, '--hold', '10m'));
      await eventually('it is held', async () => (await own.find('turns-back'))?.status?.phase === 'Hold');
      await outage(home, CUT, async () => {
        const args = ['--from', home, '--mode', 'Emergency', '--to-home', next];
        lab.progress.note((await own.start('urgent', ...args)).trim());
        assert.equal((await own.status()).homeZone, next);
        await traffic.flows(25);
        await traffic.movedFrom(home);
      });
      await drill;
      assert.equal(await own.ended('turns-back'), 'RolledBack');
      assert.equal(await own.ended('urgent'), 'Succeeded');
      const [one, other] = [(await own.get('turns-back')).status, (await own.get('urgent')).status];
      assert.equal(one?.cause, 'Emergency');
      assert.ok(
        Date.parse(other?.startedAt ?? '') >= Date.parse(one?.finishedAt ?? ''),
        'the emergency began when the drill had given all back',
      );
    },
  },
  {
    what: 'a zone comes and goes, each time for seconds only',
    async run({ third, traffic }) {
      for (let round = 0; round < 4; round += 1) {
        // How long it is away is the fault.
        await outage(third, CUT, () => delay(3_000));
        await traffic.flows(10);
      }
    },
  },
];

for (const { what, run } of FAULTS)
  test(`${what}: nothing is lost or doubled, and all is as it should be afterwards`, () =>
    withstand(lab, NAME, run));
