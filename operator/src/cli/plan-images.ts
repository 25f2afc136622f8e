/** Which images the operator in the cluster uses: without them, a plan would show changes that never come. */
import { COMPONENT, LABEL } from '@causeway/crds';
import type { KubeApi, KubeObject } from '../controller/index.ts';
import { KIND, type Images, type MessagePlatform } from '../platform/index.ts';
import { isForbidden } from './connect.ts';

interface Container {
  image?: string;
  env?: { name: string; value?: string }[];
}

interface Workload extends KubeObject {
  spec?: { template?: { spec?: { containers?: Container[]; imagePullSecrets?: { name: string }[] } } };
}

/** Where the images of a plan come from. */
export interface FoundImages {
  images: Images;
  /** Set when somebody had to guess. */
  note?: string;
}

/** The variables of the operator's Deployment that say which images it uses (see its Helm chart). */
const VARIABLES = {
  gatewayBun: 'RELATED_IMAGE_GATEWAY_BUN',
  gatewayNode: 'RELATED_IMAGE_GATEWAY_NODE',
  redis: 'RELATED_IMAGE_REDIS',
  etcd: 'RELATED_IMAGE_ETCD',
} as const;

/** Settings of the operator that runs in the cluster; undefined when there is none or we may not look. */
export async function operatorImages(api: Pick<KubeApi, 'list'>): Promise<Partial<Images> | undefined> {
  try {
    const { items } = await api.list<Workload>(KIND.deployment, {
      labelSelector: `app.kubernetes.io/name=causeway,${LABEL.component}=operator`,
    });
    const container = items[0]?.spec?.template?.spec?.containers?.[0];
    if (container === undefined) return undefined;
    const value = (name: string): string | undefined =>
      container.env?.find((variable) => variable.name === name)?.value;
    const pullSecrets = (value('IMAGE_PULL_SECRETS') ?? '').split(',').filter((name) => name !== '');
    const images = Object.entries(VARIABLES).flatMap(([key, name]) => {
      const image = value(name);
      return image === undefined ? [] : [[key, image]];
    });
    return {
      ...Object.fromEntries(images),
      ...(pullSecrets.length === 0 ? {} : { pullSecrets }),
    } as Partial<Images>;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** The images that a platform's own workloads run now. */
function runningImages(
  before: MessagePlatform | undefined,
  workloads: readonly KubeObject[],
): Partial<Images> {
  const pod = (component: string): NonNullable<Workload['spec']>['template'] =>
    (workloads as readonly Workload[]).find(
      ({ metadata, spec }) =>
        spec?.template !== undefined && metadata.labels?.[LABEL.component] === component,
    )?.spec?.template;
  const image = (component: string): string | undefined => pod(component)?.spec?.containers?.[0]?.image;
  const gateway = image(COMPONENT.gateway);
  const onNode = before?.spec.gateway.runtime === 'Node';
  const pullSecrets = pod(COMPONENT.gateway)?.spec?.imagePullSecrets?.map(({ name }) => name);
  const found = {
    gatewayBun: onNode ? undefined : gateway,
    gatewayNode: (onNode ? gateway : undefined) ?? image(COMPONENT.replicator),
    redis: image(COMPONENT.redis),
    etcd: image(COMPONENT.etcd),
    pullSecrets,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** What was asked for by option, else what the operator uses, else what already runs, else the defaults. */
export function chooseImages(
  given: { asked: Partial<Images>; defaults: Images; operator: Partial<Images> | undefined },
  before: MessagePlatform | undefined,
  workloads: readonly KubeObject[],
): FoundImages {
  const known = { ...(given.operator ?? runningImages(before, workloads)), ...given.asked };
  const images = { ...given.defaults, ...known };
  const guessed = Object.keys(VARIABLES).filter((key) => !(key in known));
  if (guessed.length === 0 || before !== undefined || given.operator !== undefined) return { images };
  return {
    images,
    note: 'The operator’s Deployment was not found, so the images are this command’s own defaults; the operator may use others.',
  };
}
