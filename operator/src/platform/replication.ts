/** Replicators: for each zone but home, one that carries the home zone's etcd changes there. */
import {
  ANNOTATION,
  COMPONENT,
  MOUNT,
  PORT,
  objectName,
  type EtcdConnectionConfig,
  type ReplicatorConfig,
} from '@causeway/crds';
import type { KubeObject } from '../controller/kube-api.ts';
import { etcdEndpoints, etcdSecretDir, managesEtcd, replicatesEtcd } from './etcd.ts';
import { KIND } from './kinds.ts';
import {
  adminProbes,
  configHash,
  mount,
  owned,
  podEnvironment,
  podSpec,
  rightlessServiceAccount,
  secretVolume,
  selector,
} from './objects.ts';
import { epochOf, homeOf, type Images, type MessagePlatform } from './types.ts';

/** Zones that have a replicator: all but home, when there is anything to replicate. */
export function replicatedZones(platform: MessagePlatform): string[] {
  if (!replicatesEtcd(platform)) return [];
  const home = homeOf(platform);
  return platform.spec.zones.map((zone) => zone.name).filter((zone) => zone !== home);
}

function connection(platform: MessagePlatform, zone: string): EtcdConnectionConfig {
  const dir = etcdSecretDir(platform);
  return { endpoints: etcdEndpoints(platform, zone), ...(dir === undefined ? {} : { dir }) };
}

/** `replicator.json` of one zone. */
export function replicatorConfig(platform: MessagePlatform, zone: string): ReplicatorConfig {
  const { namespace, name } = platform.metadata;
  const homeZone = homeOf(platform);
  return {
    platform: name,
    namespace,
    listen: { adminPort: PORT.admin },
    homeZone,
    zone,
    epoch: epochOf(platform),
    source: connection(platform, homeZone),
    target: connection(platform, zone),
    prefixes: [...(platform.spec.etcd.prefixes ?? [])].sort(),
  };
}

/** The Secret of the user that replicators of an external etcd mount. */
export function replicatorUserSecret(platform: MessagePlatform): string | undefined {
  return platform.spec.etcd.external?.secretRef?.name;
}

/** All objects of the replicators. */
export function desiredReplicators(platform: MessagePlatform, images: Images): KubeObject[] {
  const zones = replicatedZones(platform);
  if (zones.length === 0) return [];
  const meta = { name: objectName.replicator(platform.metadata.name), component: COMPONENT.replicator };
  return [
    rightlessServiceAccount(platform, KIND.serviceAccount, meta),
    owned(platform, KIND.networkPolicy, meta, {
      spec: {
        podSelector: { matchLabels: selector(platform, COMPONENT.replicator) },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: PORT.admin }], from: [{ namespaceSelector: {} }] }],
      },
    }),
    ...zones.flatMap((zone) => zoneReplicator(platform, zone, images)),
  ];
}

function zoneReplicator(platform: MessagePlatform, zone: string, images: Images): KubeObject[] {
  const config = replicatorConfig(platform, zone);
  const name = objectName.zoneReplicator(platform.metadata.name, zone);
  const meta = { name, component: COMPONENT.replicator, zone };
  const deployment = owned(platform, KIND.deployment, meta, {});
  return [
    owned(platform, KIND.configMap, meta, {
      data: { 'replicator.json': `${JSON.stringify(config, null, 2)}\n` },
    }),
    {
      ...deployment,
      spec: {
        replicas: 1,
        // Two at once would be safe (each transaction is guarded by the checkpoint) but would fight.
        strategy: { type: 'Recreate' },
        selector: { matchLabels: selector(platform, COMPONENT.replicator, zone) },
        template: {
          metadata: {
            labels: deployment.metadata.labels,
            annotations: { [ANNOTATION.configHash]: configHash(config) },
          },
          spec: replicatorPod(platform, zone, images),
        },
      },
    } as KubeObject,
  ];
}

function replicatorPod(platform: MessagePlatform, zone: string, images: Images): object {
  const { name } = platform.metadata;
  const userSecret = replicatorUserSecret(platform);
  const managed = managesEtcd(platform);
  return podSpec({
    zone,
    account: objectName.replicator(name),
    images,
    graceSeconds: 10,
    container: {
      name: 'replicator',
      // Always Node: see docs/adr/0004-replicators-on-node.md.
      image: images.gatewayNode,
      args: ['replicate', '--config', `${MOUNT.config}/replicator.json`],
      env: podEnvironment(zone),
      ports: [{ name: 'admin', containerPort: PORT.admin, protocol: 'TCP' }],
      resources: { requests: { cpu: '50m', memory: '64Mi' } },
      ...adminProbes(),
      volumeMounts: [
        mount('config', MOUNT.config),
        ...(managed ? [mount('internal', MOUNT.internal)] : []),
        ...(userSecret === undefined ? [] : [mount('etcd', MOUNT.etcd)]),
      ],
    },
    volumes: [
      { name: 'config', configMap: { name: objectName.zoneReplicator(name, zone) } },
      ...(managed ? [secretVolume('internal', objectName.internal(name))] : []),
      ...(userSecret === undefined ? [] : [secretVolume('etcd', userSecret)]),
    ],
  });
}
