/** Everything that can be had before a server starts: packages, binaries, Kafka, images. Slow only the first time. */
import { ensureAutobahn, ensureBinaries, ensureKafka, ensureMirrorMaker } from '../binaries/index.ts';
import type { BinaryName } from '../binaries/index.ts';
import type { Progress } from '../tools/index.ts';
import type { Binaries } from './control-plane.ts';
import { labImages } from './image-catalog.ts';
import { ensureImages } from './images.ts';
import { installPackages, missingPackages } from './preflight.ts';
import type { Purpose } from './preflight.ts';
import { ensureSeed } from './seed.ts';

/** What the lab's nodes and its control plane run, and what talks to them. */
const labBinaries = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

/** The lab's binaries, built where the cache lacks them; their paths by name. */
export function ensureLabBinaries(): Promise<Binaries> {
  return ensureBinaries([...labBinaries]);
}

/** All that the lab needs before it starts. */
export async function prepareLab(progress: Progress): Promise<void> {
  await installFor('lab', progress);
  await progress.step('binaries', ensureLabBinaries);
  await progress.step('images', async () => ensureSeed(await ensureImages(labImages)));
}

/** All that the tests with servers on loopback need: no test waits for a build, which takes longer than a test may. */
export async function prepareTests(progress: Progress): Promise<void> {
  await installFor('tests', progress);
  const names: BinaryName[] = [...labBinaries, 'helm', 'gatewayload'];
  await progress.step('binaries', () => ensureBinaries(names));
  await progress.step('Kafka', ensureKafka);
  await progress.step('MirrorMaker', ensureMirrorMaker);
  await progress.step('Autobahn suite', ensureAutobahn);
}

async function installFor(purpose: Purpose, progress: Progress): Promise<void> {
  const missing = await missingPackages(purpose);
  if (missing.length === 0) return;
  await progress.step(`install Debian packages: ${missing.join(', ')}`, () => installPackages(missing));
}
