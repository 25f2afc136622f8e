/** What happens in a run: the act, and all until the platform is as it was. */
import type { ZoneFailover } from '@causeway/crds';
import { isOver } from '../../../operator/src/failover/index.ts';
import { waitFor } from '../../tools/index.ts';
import type { Crowd } from './crowd.ts';
import type { Outage } from './homes.ts';
import type { Kind } from './kinds.ts';
import type { Rig } from './rig.ts';

/** Of steady traffic before the act, and after it; milliseconds. */
export const STEADY_MS = 10_000;
/** For a failover to end, and for all clients to be back, milliseconds. */
const END_MS = 240_000;
const BACK_MS = 90_000;
/** For the zone to be given back, once its fault is over: an automatic Emergency waits 30 s by itself. */
const GIVEN_BACK_MS = 180_000;
/** For the operator to make an Emergency by itself, milliseconds. */
const NOTICED_MS = 90_000;
/** Between two looks, milliseconds. */
const LOOK_MS = 500;
/** A drill runs without the zone for so long. */
const HOLD = '5s';

/** Moves the home once, with nobody there: until then every etcd takes writes of applications (docs/adr/0022). */
export async function firstMove(rig: Rig): Promise<void> {
  const { homeZone: fromZone = '' } = await rig.status();
  await rig.start('first', { fromZone, mode: 'Planned' });
  await waitFor('the first move', async () => (await rig.failover('first')).status?.phase === 'Succeeded', {
    timeoutMs: END_MS,
    intervalMs: LOOK_MS,
  });
  await rig.ready();
}

/** What is done, and to whom. */
export interface Story {
  rig: Rig;
  kind: Kind;
  /** Of the failover, if it is asked for. */
  name: string;
  from: string;
  by: 'operator' | 'command';
  crowd: Crowd;
}

/** Switched off and on, it forgets what it made: it makes three Emergencies in an hour at most. */
export async function arm(rig: Rig): Promise<void> {
  await rig.patch({ failover: { automatic: true } });
  await waitFor(
    'the operator to watch the zones',
    async () => {
      const { conditions = [] } = await rig.status();
      return conditions.some(({ type, status }) => type === 'AutomaticFailover' && status === 'True');
    },
    { timeoutMs: 60_000, intervalMs: LOOK_MS },
  );
}

/** What happened; times in milliseconds since the Unix epoch. */
export interface Happened {
  at: number;
  failover: ZoneFailover;
  /** The end of the fault; undefined: there was none. */
  over: number | undefined;
}

/** What the homes' checker is to know of it; undefined: nothing befell the zone. */
export function outageOf(zone: string, { at, over, failover }: Happened): Outage | undefined {
  const { startedAt } = failover.status ?? {};
  if (over === undefined || startedAt === undefined) return undefined;
  return { zone, from: at, to: over, emergency: Date.parse(startedAt) };
}

/** The act, and all until things are as they were, or a fault is over and the zone is back. */
export async function happen(story: Story): Promise<Happened> {
  const { fault } = story.kind;
  if (fault === undefined) {
    const at = Date.now();
    await startFailover(story);
    return { at, failover: await ended(story, story.name), over: undefined };
  }
  const at = Date.now();
  let name: string;
  try {
    await fault.begin(story.from);
    name = story.by === 'command' ? await startFailover(story) : await made(story, at);
    await ended(story, name);
  } finally {
    await fault.end(story.from);
  }
  const over = Date.now();
  const back = await waitFor(
    `${story.from} to be given back`,
    async () => {
      const found = await story.rig.failover(name);
      return found.status?.holds !== true && found;
    },
    { timeoutMs: GIVEN_BACK_MS, intervalMs: LOOK_MS },
  );
  await steady(story);
  return { at, failover: back, over };
}

/** Asks for the failover; gives its name. */
async function startFailover({ rig, kind: { mode }, name, from }: Story): Promise<string> {
  const drill = mode === 'Drill' ? { drill: { holdFor: HOLD } } : {};
  await rig.start(name, { fromZone: from, mode, limits: { timeout: '90s' }, ...drill });
  return name;
}

/** The Emergency that the operator makes by itself. */
function made({ rig, from }: Story, at: number): Promise<string> {
  return waitFor(
    `an Emergency of ${from}`,
    async () => (await rig.newestFailover(from, at))?.metadata?.name,
    { timeoutMs: NOTICED_MS, intervalMs: LOOK_MS },
  );
}

/** Waits until the failover has ended, and traffic was steady for a while. */
async function ended(story: Story, name: string): Promise<ZoneFailover> {
  let last: ZoneFailover['status'];
  const failover = await waitFor(
    `${name} to end`,
    async () => {
      const found = await story.rig.failover(name);
      last = found.status;
      return isOver(last?.phase ?? 'Queued') && found;
    },
    { timeoutMs: END_MS, intervalMs: LOOK_MS },
  ).catch(async (error: unknown) => {
    await story.rig.abort(name);
    throw new Error(`it does not end: ${last?.phase}, ${last?.message}`, { cause: error });
  });
  await steady(story);
  return failover;
}

/**
 * Waits until all clients have received for a while, and none has lost its connection: one behind a cut link takes itself for
 * connected until it has waited for a ping, and a gateway that is taken away sends its clients elsewhere for a while.
 */
async function steady({ crowd }: Story): Promise<void> {
  let since = Date.now();
  let losses = 0;
  await waitFor(
    'all clients to receive steadily',
    async () => {
      const look = await crowd.look();
      if (look.receiving < look.clients || look.losses > losses) since = Date.now();
      losses = look.losses;
      return Date.now() - since >= STEADY_MS;
    },
    { timeoutMs: BACK_MS, intervalMs: LOOK_MS },
  );
}
