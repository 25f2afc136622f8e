/** Puts the operator into a cluster: its images, and its chart. */
import { join } from 'node:path';
import { ensureImages } from '../lab/images.ts';
import { findImages, labImages, ownImages } from '../lab/image-catalog.ts';
import { loadImages } from '../lab/image-load.ts';
import { run, type Progress } from '../tools/index.ts';
import type { Kube } from './kube.ts';

const root = join(import.meta.dirname, '../..');

/** Namespace of the operator. */
export const OPERATOR_NAMESPACE = 'causeway-system';

/** References of the images that the chart is given. */
export interface ImageReferences {
  operator: string;
  gatewayBun: string;
  gatewayNode: string;
  redis: string;
  etcd: string;
}

/** Builds the two bundles that the images contain. */
export async function buildBundles(): Promise<void> {
  await Promise.all(
    ['operator', 'gateway'].map((name) => run(process.execPath, [join(root, name, 'build.ts')])),
  );
}

/** Builds the images that a platform needs, and puts them on the lab's nodes. */
export async function loadLabImages(): Promise<ImageReferences> {
  const wanted = [...labImages, ...ownImages].filter(({ name }) =>
    /^(operator|gateway-|redis|etcd)/.test(name),
  );
  const built = await ensureImages(wanted);
  await loadImages(built);
  const reference = (name: string): string => {
    const image = built[wanted.findIndex((one) => one.name === name)];
    if (image === undefined) throw new Error(`there is no image ${name}`);
    return image.reference;
  };
  return {
    operator: reference('operator'),
    gatewayBun: reference('gateway-bun'),
    gatewayNode: reference('gateway-node'),
    redis: reference('redis'),
    etcd: reference('etcd'),
  };
}

/** Builds one image, and puts it on the lab's nodes; its reference. */
export async function loadLabImage(name: string): Promise<string> {
  const built = await ensureImages(findImages([name]));
  await loadImages(built);
  const [image] = built;
  if (image === undefined) throw new Error(`there is no image ${name}`);
  return image.reference;
}

/** Builds our images with Docker, and pushes them to `registry` or loads them into kind or minikube. */
export async function publishImages(kube: Kube, registry: string | undefined): Promise<ImageReferences> {
  const prefix = registry === undefined ? 'causeway' : `${registry}/causeway`;
  const images = [
    { reference: `${prefix}/operator:dev`, file: 'operator/Dockerfile', target: undefined },
    { reference: `${prefix}/gateway:dev-bun`, file: 'gateway/Dockerfile', target: 'bun' },
    { reference: `${prefix}/gateway:dev-node`, file: 'gateway/Dockerfile', target: 'node' },
  ];
  for (const { reference, file, target } of images) {
    const targets = target === undefined ? [] : ['--target', target];
    await run('docker', ['build', '-t', reference, '-f', join(root, file), ...targets, root]);
    if (registry !== undefined) await run('docker', ['push', reference]);
  }
  if (registry === undefined)
    await loadIntoLocalCluster(
      kube,
      images.map(({ reference }) => reference),
    );
  const [operator = '', gatewayBun = '', gatewayNode = ''] = images.map(({ reference }) => reference);
  return {
    operator,
    gatewayBun,
    gatewayNode,
    redis: 'docker.io/library/redis:7.4',
    etcd: 'quay.io/coreos/etcd:v3.6.6',
  };
}

async function loadIntoLocalCluster(kube: Kube, references: readonly string[]): Promise<void> {
  const context = (await kube.kubectl(['config', 'current-context'])).trim();
  const kind = /^kind-(.+)$/.exec(context)?.[1];
  for (const reference of references) {
    if (kind !== undefined) await run('kind', ['load', 'docker-image', '--name', kind, reference]);
    else if (context.includes('minikube')) await run('minikube', ['image', 'load', reference]);
    else
      throw new Error(
        `context ${context} is neither kind nor minikube: name a registry that it pulls from, REGISTRY=registry.example.com`,
      );
  }
}

/** Installs or upgrades the operator with its chart and waits until it runs. */
export async function installOperator(
  kube: Kube,
  images: ImageReferences,
  options: { progress: Progress; replicas?: number; values?: readonly string[] },
): Promise<void> {
  const { operator, ...parts } = images;
  const at = operator.lastIndexOf(':');
  const values = [
    `image.repository=${operator.slice(0, at)}`,
    `image.tag=${operator.slice(at + 1)}`,
    `replicas=${options.replicas ?? 2}`,
    ...Object.entries(parts).map(([name, reference]) => `images.${name}=${reference}`),
    ...(options.values ?? []),
  ];
  await options.progress.step('operator installed with its Helm chart', async () => {
    // Helm installs a CRD once and never upgrades it.
    await kube.kubectl([
      'apply',
      '--server-side',
      '--force-conflicts',
      '-f',
      join(root, 'charts/causeway/crds'),
    ]);
    const set = values.flatMap((value) => ['--set', value]);
    const where = ['-n', OPERATOR_NAMESPACE, '--create-namespace'];
    await kube.helm(['upgrade', '--install', 'causeway', join(root, 'charts/causeway'), ...where, ...set]);
    await kube.kubectl(
      ['-n', OPERATOR_NAMESPACE, 'rollout', 'status', 'deployment/causeway', '--timeout=180s'],
      { timeoutMs: 200_000 },
    );
  });
}
