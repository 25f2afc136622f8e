/** The operator under test: who leads, what it measures, what it wrote, and how it is killed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LABEL } from '@causeway/crds';
import { getStatus } from '../lab/index.ts';
import { OPERATOR_NAMESPACE, type Kube } from '../platform/index.ts';
import { sumOf } from './pod-metrics.ts';
import { eventually } from './support.ts';

/** Name of the Lease and of the ServiceAccount. */
const NAME = 'causeway';

interface Pod {
  metadata: { name: string };
  spec: { nodeName?: string };
  status: {
    podIP: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { restartCount: number }[];
  };
}

/** The holder that the Lease names: `<pod>_<random>`, another one after each start of a process. */
export async function leader(kube: Kube): Promise<string> {
  const lease = await kube.json<{ spec: { holderIdentity?: string } }>([
    '-n',
    OPERATOR_NAMESPACE,
    'get',
    'lease',
    NAME,
  ]);
  return lease.spec.holderIdentity ?? '';
}

async function operatorPods(kube: Kube): Promise<Pod[]> {
  const { items } = await kube.json<{ items: Pod[] }>([
    '-n',
    OPERATOR_NAMESPACE,
    'get',
    'pods',
    '-l',
    `${LABEL.component}=operator`,
  ]);
  return items;
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

/** Zones of the operator's pods that are ready, by name. */
async function zonesOfOperators(kube: Kube): Promise<Map<string, string>> {
  const ready = (await operatorPods(kube)).filter(isReady);
  return new Map(
    ready.map(({ metadata, spec }) => [metadata.name, (spec.nodeName ?? '').replace('node-', 'zone-')]),
  );
}

/** Zone of the node that the operator's leader is on. */
export function zoneOfLeader(kube: Kube): Promise<string> {
  return eventually("the leader's zone", async () => {
    const identity = await leader(kube);
    return (await zonesOfOperators(kube)).get(podOf(identity));
  });
}

/**
 * Waits until the leader is in no zone that is home of more platforms than one where another replica is: it moves there by
 * itself, when nothing is under way. Resolves with its zone.
 */
export function leaderOutOfHomes(kube: Kube): Promise<string> {
  return eventually(
    'a leader outside the home zones',
    async () => {
      const [identity, zones, platforms] = await Promise.all([
        leader(kube),
        zonesOfOperators(kube),
        kube.json<{ items: { status?: { homeZone?: string } }[] }>(['get', 'mp', '-A']),
      ]);
      const zone = zones.get(podOf(identity));
      const homes = (of: string): number =>
        platforms.items.filter(({ status }) => status?.homeZone === of).length;
      const best = Math.min(...[...zones.values()].map(homes));
      return zone !== undefined && homes(zone) === best ? zone : undefined;
    },
    60_000,
  );
}

/** How often the containers of the operator's pods were started again. */
export async function operatorRestarts(kube: Kube): Promise<number> {
  return (await operatorPods(kube))
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
}

function podOf(identity: string): string {
  return identity.slice(0, identity.lastIndexOf('_'));
}

/** Prepares to kill the leader: its process is found now, so that the kill itself takes no time. */
export async function aimAtLeader(kube: Kube): Promise<{ identity: string; kill(): void }> {
  const identity = await eventually('a leader', async () => (await leader(kube)) || undefined);
  const pid = processWith(`POD_NAME=${podOf(identity)}`, '/app/main.js');
  return { identity, kill: () => killIfThere(pid) };
}

/** One that is gone has handed its leadership over in this moment (ADR 76): to a platform that is a leader lost all the same. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A container's process, as the host sees it: the one with that setting in its environment that runs that program. */
export function processWith(setting: string, path: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
      const program = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      if (environment.includes(setting) && program.includes(path)) return Number(entry);
    } catch {
      // It ended while we looked, or is a kernel thread.
    }
  }
  throw new Error(`no process of ${path} with ${setting} on this machine`);
}

/** Waits until another process than `before` leads. */
export function newLeader(kube: Kube, before: string): Promise<string> {
  return eventually(
    'a new leader',
    async () => {
      const now = await leader(kube);
      return now !== '' && now !== before ? now : undefined;
    },
    90_000,
  );
}

/** Sum of a counter over the operator's pods that are ready, by any of its labels. */
export async function operatorMetric(kube: Kube, name: string): Promise<number> {
  const pods = (await operatorPods(kube)).filter(isReady);
  const texts = await Promise.all(
    pods.map(async ({ status }) => (await fetch(`http://${status.podIP}:8081/metrics`)).text()),
  );
  return sumOf(texts.join('\n'), name);
}

/** A write to the API server, from its audit log. */
interface AuditEvent {
  verb: string;
  user: { username: string };
  stage: string;
  requestReceivedTimestamp: string;
  objectRef?: { resource: string; namespace?: string; name?: string; subresource?: string };
}

/**
 * What the operator wrote since then in a namespace or in none, by the API server's audit log, as
 * `verb resource/name`. Left out are leases (the leader renews its own every few seconds) and other namespaces (where
 * somebody may have platforms of their own in this lab).
 */
export async function operatorWrites(namespace: string, since: number): Promise<string[]> {
  const folder = dirname((await getStatus()).auditLog);
  const user = `system:serviceaccount:${OPERATOR_NAMESPACE}:${NAME}`;
  return readdirSync(folder)
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).mtimeMs >= since)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .filter((line) => line.includes(`"${user}"`))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter((event) => event.user.username === user)
    .filter((event) => Date.parse(event.requestReceivedTimestamp) >= since)
    .filter(({ objectRef: ref }) => ref?.resource !== 'leases')
    .filter(({ objectRef: ref }) => [namespace, OPERATOR_NAMESPACE, undefined].includes(ref?.namespace))
    .map(({ verb, objectRef: ref }) =>
      [verb, [ref?.resource, ref?.namespace, ref?.name, ref?.subresource].filter(Boolean).join('/')].join(
        ' ',
      ),
    );
}
