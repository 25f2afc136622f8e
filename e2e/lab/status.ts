import { isAlive } from '../tools/index.ts';
import { network, nodes, labDir, paths } from './config.ts';
import { kubectlJson } from './kubectl.ts';
import { readState } from './state.ts';

/** What `status -o json` prints. Paths are absolute; they are there only while the lab is. */
export interface LabStatus {
  up: boolean;
  phase: string;
  dir: string;
  kubeconfig: string;
  server: string;
  /** The API server's audit log: JSON lines, level Metadata, writes only; rotated at 100 MB. */
  auditLog: string;
  logs: string;
  /** Bootstrap servers as pods see them; these names don't resolve on the host. */
  kafka: string;
  nodes: {
    name: string;
    zone: string;
    ip: string;
    podCidr: string;
    ready: boolean;
    cut: boolean;
    killed: boolean;
  }[];
  processes: { name: string; pid: number; alive: boolean }[];
}

interface NodeList {
  items: { metadata: { name: string }; status: { conditions?: { type: string; status: string }[] } }[];
}

async function readyNodes(): Promise<Set<string>> {
  const list = await kubectlJson<NodeList>(['get', 'nodes']);
  const ready = list.items.filter((node) =>
    node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
  return new Set(ready.map((node) => node.metadata.name));
}

/** The lab as it is now. */
export async function getStatus(): Promise<LabStatus> {
  const state = readState();
  const processes = Object.entries(state?.processes ?? {}).map(([name, identity]) => ({
    name,
    pid: identity.pid,
    alive: isAlive(identity),
  }));
  const apiAlive = processes.some(({ name, alive }) => name === 'kube-apiserver' && alive);
  const ready = apiAlive ? await readyNodes() : new Set<string>();
  return {
    up: state?.phase === 'up' && processes.every(({ alive }) => alive),
    phase: state?.phase ?? 'down',
    dir: labDir(),
    kubeconfig: paths.kubeconfig(),
    server: `https://${network.hostIp}:${network.apiPort}`,
    auditLog: paths.auditLog(),
    logs: paths.logs(),
    kafka: 'kafka.kafka:9092',
    nodes: nodes.map(({ name, zone, ip, podCidr }) => ({
      name,
      zone,
      ip,
      podCidr,
      ready: ready.has(name),
      cut: state?.cut.includes(zone) ?? false,
      killed: state?.killed.includes(zone) ?? false,
    })),
    processes,
  };
}

/** The status for people. */
export function formatStatus(status: LabStatus): string {
  if (status.phase === 'down') return 'The lab is down.';
  const nodeLine = (node: LabStatus['nodes'][number]): string => {
    const marks = [node.ready ? 'Ready' : 'NotReady', node.cut ? 'cut off' : '', node.killed ? 'killed' : ''];
    return `  ${node.name}  ${node.zone}  ${node.ip}  ${marks.filter(Boolean).join(', ')}`;
  };
  const dead = status.processes.filter(({ alive }) => !alive).map(({ name }) => name);
  return [
    `The lab is ${status.up ? 'up' : `not whole (${status.phase})`}.`,
    ...status.nodes.map(nodeLine),
    `  processes   ${status.processes.length - dead.length} running${dead.length > 0 ? `, ended: ${dead.join(', ')}` : ''}`,
    `  kubeconfig  ${status.kubeconfig}`,
    `  audit log   ${status.auditLog}`,
    `  logs        ${status.logs}`,
    `  kafka       ${status.kafka} (from pods)`,
  ].join('\n');
}
