/** A store with one member and one volume in each zone: what Redis and etcd have in common. */
import { ANNOTATION, LABEL } from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { KIND } from './kinds.ts';
import { configHash, owned, podSpec, selector } from './objects.ts';
import type { Images, MessagePlatform } from './types.ts';

/** Default size of a volume. */
export const DEFAULT_STORAGE = '1Gi';

/** Time that a store has to end well, seconds. */
const GRACE_SECONDS = 30;

export interface ZoneStore {
  /** Name of the StatefulSet and of its headless Service. */
  name: string;
  component: string;
  zone: string;
  /** Name of the ServiceAccount. */
  account: string;
  images: Images;
  container: object;
  volumes: readonly object[];
  /** Size of the volume, which is mounted as `data`. */
  storage: string;
  /** What becomes of the volume with the platform. */
  whenDeleted: 'Retain' | 'Delete';
  /** A change of it restarts the pod. */
  settings: readonly string[];
}

/** The StatefulSet of a store. */
export function storeStatefulSet(platform: MessagePlatform, store: ZoneStore): KubeObject {
  const { name, component, zone, account, images, container, volumes, storage, whenDeleted, settings } =
    store;
  const matchLabels = selector(platform, component, zone);
  const set = owned(platform, KIND.statefulSet, { name, component, zone }, {});
  return {
    ...set,
    spec: {
      replicas: 1,
      serviceName: name,
      selector: { matchLabels },
      persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled: 'Retain' },
      template: {
        metadata: {
          labels: set.metadata.labels,
          annotations: { [ANNOTATION.configHash]: configHash(settings) },
        },
        spec: podSpec({ zone, account, images, graceSeconds: GRACE_SECONDS, container, volumes }),
      },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', labels: matchLabels },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
        },
      ],
    },
  } as KubeObject;
}

/** The headless Service that gives one zone's store its name. */
export function storeService(
  platform: MessagePlatform,
  store: Pick<ZoneStore, 'name' | 'component' | 'zone'>,
  port: { name: string; number: number; beforeReady: boolean },
): KubeObject {
  return owned(platform, KIND.service, store, {
    spec: {
      clusterIP: 'None',
      ...(port.beforeReady ? { publishNotReadyAddresses: true } : {}),
      selector: selector(platform, store.component, store.zone),
      ports: [{ name: port.name, protocol: 'TCP', port: port.number, targetPort: port.number }],
    },
  });
}

/** Peers of a NetworkPolicy: the operator's pods, in any namespace. */
export function fromOperator(): object {
  return {
    namespaceSelector: {},
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'causeway', [LABEL.component]: 'operator' } },
  };
}
