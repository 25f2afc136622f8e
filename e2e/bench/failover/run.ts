/** One run: clients come, something happens to a zone, and what they met is judged. */
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Progress } from '../../tools/index.ts';
import { Crowd, type CrowdSetting } from './crowd.ts';
import { Entry } from './entry.ts';
import { HomeWatch, type HomesVerdict } from './homes.ts';
import type { Journal } from './journal.ts';
import { judge, type Act, type Verdict } from './judge.ts';
import { KINDS, type Heartbeat, type Kind, type KindName } from './kinds.ts';
import { partsOf, type Parts } from './parts.ts';
import type { Rig } from './rig.ts';
import { arm, happen, outageOf, STEADY_MS } from './story.ts';

/** How long clients publish before the first run, milliseconds. */
const WARM_UP_MS = 60_000;

/** One run, as it is kept. */
export interface FailoverRun {
  kind: KindName;
  /** From 1. */
  run: number;
  heartbeat: Heartbeat;
  /** Who made the failover: the operator by itself, or whoever drives this. */
  by: 'operator' | 'command';
  /** The act. */
  at: string;
  from: string;
  /** The next home. */
  to: string;
  /** The operator's leader ran in that zone. */
  leaderInZone: boolean;
  /** Load average over a minute as it happened. */
  load: number;
  /** Publications that were acknowledged each second before the act. */
  perSecond: number;
  /** How the failover ended. */
  phase: string;
  message: string;
  parts: Parts;
  verdict: Verdict;
  homes: HomesVerdict;
  /** Publications that were due while no publisher was connected. */
  skipped: number;
  /** CPU that the clients took, seconds. */
  clientsCpuSeconds: number;
  /** Of the run as a whole. */
  seconds: number;
}

/** A run that could not be measured. */
export interface FailedRun {
  kind: KindName;
  run: number;
  /** Why. */
  failed: string;
}

/** What a run needs. */
export interface RunSetting {
  rig: Rig;
  clients: CrowdSetting;
  /** An Emergency is asked for as soon as the zone is gone, instead of waiting for the operator. */
  typed: boolean;
  /** The journal stays in any case. */
  keep: boolean;
  progress: Progress;
}

/** One run, with what clients saw. */
export interface Outcome {
  run: FailoverRun;
  failover: string;
  journal: Journal;
  act: Act;
}

/** Who is there during a run, and what is put back after it. */
interface Scene {
  kind: Kind;
  /** The home. */
  from: string;
  by: FailoverRun['by'];
  entry: Entry;
  watch: HomeWatch;
  crowd: Crowd;
}

/** Makes a run. Rejects when it cannot be measured; the fault is over, and the clients are gone, in any case. */
export async function runOnce(kind: KindName, number: number, setting: RunSetting): Promise<Outcome> {
  const began = performance.now();
  const { rig } = setting;
  const { homeZone: from = '' } = await rig.status();
  const by = KINDS[kind].mode === 'Emergency' && !setting.typed ? 'operator' : 'command';
  const end = new AsyncDisposableStack();
  try {
    if (by === 'operator') {
      end.defer(() => rig.patch({ failover: { automatic: false } }));
      await arm(rig);
    }
    const front = await rig.front();
    const entry = await Entry.open(front.host, from);
    end.defer(() => entry.close());
    // Before the clients: three processes that start take a core for a while.
    const watch = await HomeWatch.begin(rig);
    end.defer(() => watch.end());
    const crowd = await gather(rig, front, setting.clients);
    end.defer(() => crowd.leave());
    const outcome = await measured({ kind: KINDS[kind], from, by, entry, watch, crowd }, setting, {
      kind,
      run: number,
    });
    outcome.run.seconds = (performance.now() - began) / 1000;
    return outcome;
  } finally {
    await end.disposeAsync();
  }
}

/** Lets clients come through the front Service, which is at that address. */
async function gather(
  rig: Rig,
  { host, port }: Awaited<ReturnType<Rig['front']>>,
  setting: CrowdSetting,
): Promise<Crowd> {
  return Crowd.gather(await rig.access(), `${host}:${port}`, setting);
}

/**
 * Clients come, publish and go. Brokers and gateways that have just begun compile what they run: on a fresh lab publications took
 * 0.57 s in the middle, and a minute later 0.06 s.
 */
export async function warmUp(rig: Rig, setting: CrowdSetting): Promise<void> {
  const crowd = await gather(rig, await rig.front(), setting);
  try {
    await delay(WARM_UP_MS);
  } finally {
    await crowd.leave();
  }
}

/** Steady traffic, the act, and what is to be said of it. */
async function measured(
  { entry, watch, crowd, ...scene }: Scene,
  { rig, clients: { pingDelays }, keep, progress }: RunSetting,
  name: Pick<FailoverRun, 'kind' | 'run'>,
): Promise<Outcome> {
  const { kind, from, by } = scene;
  const first = await crowd.look();
  await delay(STEADY_MS);
  const perSecond = ((await crowd.look()).acknowledged - first.acknowledged) / (STEADY_MS / 1000);
  const [zones, leader, load] = [await entry.zonesByPort(), await rig.zoneOfLeader(), loadavg()[0] ?? 0];
  const failoverName = `${name.kind}-${name.run}-${Date.now()}`;
  const happened = await happen({ kind, name: failoverName, from, by, crowd, rig });
  const homes = await watch.stop(outageOf(from, happened));
  const { journal, look } = await crowd.stop();
  const { at, over, failover } = happened;
  const act: Act = { at, over, inZone: clientsIn(from, { journal, at, zones }), pingDelays };
  const verdict = judge(journal, act);
  const isWrong = Object.keys({ ...verdict.violations, ...homes.violations }).length > 0;
  if (isWrong) progress.note('something is wrong');
  if (isWrong || keep) progress.note(`the journal stays in ${crowd.keep()}`);
  const { status = {} } = failover;
  const run: FailoverRun = {
    ...name,
    heartbeat: kind.heartbeat,
    by,
    at: new Date(at).toISOString(),
    from,
    to: status.home?.to ?? from,
    leaderInZone: leader === from,
    load,
    perSecond,
    phase: status.phase ?? '',
    message: status.message ?? '',
    parts: partsOf(status, at),
    verdict,
    homes,
    skipped: look.skipped,
    clientsCpuSeconds: look.cpuSeconds,
    seconds: Number.NaN,
  };
  return { run, failover: failover.metadata?.name ?? failoverName, journal, act };
}

/** The clients whose connection led to a gateway of the zone. */
function clientsIn(
  zone: string,
  seen: { journal: Journal; at: number; zones: ReadonlyMap<number, string> },
): Set<string> {
  const ms = seen.at - seen.journal.beganAt;
  const inside = [...seen.journal.clients.values()].filter(({ connected }) => {
    const port = connected.findLast((one) => one.ms < ms)?.port;
    return port !== undefined && seen.zones.get(port) === zone;
  });
  return new Set(inside.map(({ name }) => name));
}
