/**
 * What may happen to a zone, and to a failover while it is under way, each under traffic. After each: nothing that was
 * acknowledged is lost, nobody who recovered saw anything twice, all etcds are equal, and the platform is Ready.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut, heal, kafkaBrokers, kill, mute, revive, unmute, zones } from '../lab/index.ts';
import { Failovers, outage, readyToFail, withstand, type Place } from './failover.ts';
import { leader, newLeader, zoneOfLeader } from './operator.ts';
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

/** Moves the home out of a zone that is gone, and says what became of it. */
async function emergency(name: string, { home, next, traffic }: Place): Promise<void> {
  lab.progress.note((await own.start(name, '--from', home, '--mode', 'Emergency', '--to-home', next)).trim());
  assert.equal((await own.status()).homeZone, next);
  await traffic.flows(25);
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
      });
      assert.equal(await own.ended('leader'), 'Succeeded');
    },
  },
  {
    what: 'the next home is killed in the middle of a planned move',
    async run({ home, next }) {
      const args = ['--from', home, '--mode', 'Planned', '--to-home', next];
      const command = noted(own.start('target', ...args, '--timeout', '2m'));
      await eventually('it drains', async () => (await own.get('target')).status?.phase === 'Drain', 120_000);
      await outage(next, KILLED, async () => {
        await command;
      });
      lab.progress.note(`the move ended as ${await own.ended('target')}`);
    },
  },
];

for (const { what, run } of FAULTS)
  test(`${what}: nothing is lost or doubled, and all is as it should be afterwards`, () =>
    withstand(lab, NAME, run));
