import { join } from 'node:path';
import { createProgress, isAlive, waitFor } from '../tools/index.ts';
import type { Progress } from '../tools/index.ts';
import { createCgroups } from './cgroups.ts';
import { cleanUp } from './cleanup.ts';
import { labDir, labPath, nodes, paths } from './config.ts';
import { startApiServer, startControllers, waitForApiServer } from './control-plane.ts';
import { assertDaemon, startDaemon } from './daemon.ts';
import { labImages } from './image-catalog.ts';
import { ensureImages } from './images.ts';
import { kafkaBrokers } from './kafka-client.ts';
import { kubectl, kubectlJson } from './kubectl.ts';
import { applyManifests } from './manifests.ts';
import { createNetwork, rememberSysctls } from './network.ts';
import { startContainerd, startNode, writeNodeFiles } from './node.ts';
import { createPki } from './pki.ts';
import { describeLacks, findLacks } from './preflight.ts';
import { ensureLabBinaries, prepareLab } from './prepare.ts';
import { ensureSeed, plantSeed } from './seed.ts';
import { newState, readState, writeState } from './state.ts';
import type { LabState } from './state.ts';

/** Brings the lab up, or says that it is. Whatever an earlier lab left is removed first. */
export async function up(): Promise<void> {
  const progress = createProgress();
  const existing = readState();
  if (existing && (await isHealthy(existing, progress))) return;
  const lacks = await findLacks();
  if (lacks.length > 0) throw new Error(describeLacks(lacks));
  await prepareLab(progress);
  await progress.step('clean up after an earlier lab', cleanUp);
  await start(progress);
}

/** Whether the lab is up and whole; says so, or says what is wrong with it. */
async function isHealthy(state: LabState, progress: Progress): Promise<boolean> {
  if (state.phase !== 'up') {
    progress.note(`An earlier "up" or "down" was interrupted (${state.phase}): starting afresh`);
    return false;
  }
  const impaired = [
    ...state.cut.map((zone) => `${zone} is cut off`),
    ...state.killed.map((zone) => `${zone} is killed`),
  ];
  if (impaired.length > 0) {
    throw new Error(
      `The lab is up, but ${impaired.join(', ')}. Use: zone heal, zone revive; or down, then up.`,
    );
  }
  const dead = Object.entries(state.processes).filter(([, identity]) => !isAlive(identity));
  if (dead.length > 0) {
    progress.note(`The lab is half there (ended: ${dead.map(([name]) => name).join(', ')}): starting afresh`);
    return false;
  }
  await progress.step('verify: the lab is already up', () => waitUntilReady(state, 30_000));
  return true;
}

async function start(progress: Progress): Promise<void> {
  const state = newState();
  rememberSysctls(state);
  writeState(state);
  const found = await ensureLabBinaries();
  await progress.step('network, cgroups, certificates, images for the nodes', async () => {
    createCgroups();
    nodes.forEach(writeNodeFiles);
    const seed = await ensureSeed(await ensureImages(labImages));
    await Promise.all([createNetwork(), createPki(), ...nodes.map((node) => plantSeed(seed, node))]);
  });
  await progress.step('control plane', async () => {
    await startApiServer(state, found);
    await Promise.all(nodes.map((node) => startContainerd(state, node)));
    await waitForApiServer(state);
    await startControllers(state, found);
  });
  await progress.step('kubelets, storage, manifests', async () => {
    await Promise.all(nodes.map((node) => startNode(state, node, found)));
    await startProvisioner(state);
    await applyManifests();
  });
  await progress.step('nodes, DNS and Kafka ready', () => waitUntilReady(state, 180_000));
  state.phase = 'up';
  writeState(state);
  progress.note(`The lab is up: export KUBECONFIG=${paths.kubeconfig()}`);
}

async function startProvisioner(state: LabState): Promise<void> {
  const script = join(import.meta.dirname, 'provisioner', 'main.ts');
  const args = [script, `--kubeconfig=${labPath('pki', 'provisioner.kubeconfig')}`, `--lab-dir=${labDir()}`];
  await startDaemon(state, { name: 'provisioner', command: process.execPath, args });
}

interface NodeList {
  items: { metadata: { name: string }; status: { conditions?: { type: string; status: string }[] } }[];
}

async function nodesReady(): Promise<boolean> {
  const list = await kubectlJson<NodeList>(['get', 'nodes']);
  const ready = list.items.filter((node) =>
    node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
  return ready.length === nodes.length;
}

/** Nodes Ready, CoreDNS available, three Kafka brokers that see each other. */
async function waitUntilReady(state: LabState, timeoutMs: number): Promise<void> {
  const check = (): void => Object.keys(state.processes).forEach((name) => assertDaemon(state, name));
  const deadline = performance.now() + timeoutMs;
  const left = (): number => Math.max(1000, deadline - performance.now());
  await waitFor('three nodes to be Ready', nodesReady, { timeoutMs: left(), intervalMs: 300, check });
  const seconds = (): string => `--timeout=${Math.ceil(left() / 1000)}s`;
  await Promise.all([
    kubectl(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', seconds()]),
    ...['a', 'b', 'c'].map((z) =>
      kubectl(['-n', 'kafka', 'rollout', 'status', `statefulset/kafka-${z}`, seconds()]),
    ),
  ]);
  await waitFor('three Kafka brokers', async () => (await kafkaBrokers()).length === 3, {
    timeoutMs: left(),
    check,
  });
}
