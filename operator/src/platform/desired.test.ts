import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../controller/index.ts';
import { certificateWish, desiredObjects, spreadRenewal } from './desired.ts';
import { gatewayConfig } from './gateway.ts';
import { IMAGES, ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';

interface PodSpec {
  securityContext: Record<string, unknown>;
  automountServiceAccountToken: boolean;
  dnsConfig: { options: { name: string; value: string }[] };
  serviceAccountName: string;
  containers: { image: string; securityContext: Record<string, unknown>; volumeMounts: { name: string }[] }[];
  volumes: { name: string; secret?: { secretName: string } }[];
}
interface Workload extends KubeObject {
  spec: {
    replicas?: number;
    template: { metadata: { labels: object; annotations?: object }; spec: PodSpec };
    persistentVolumeClaimRetentionPolicy?: object;
  };
}

function desired(change?: (platform: MessagePlatform) => void): readonly KubeObject[] {
  return desiredObjects(ordersPlatform(change), IMAGES);
}
const names = (objects: readonly KubeObject[]): string[] =>
  objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort();
function workloads(objects: readonly KubeObject[]): Workload[] {
  return objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Workload[];
}
function find(objects: readonly KubeObject[], name: string): Workload {
  const found = workloads(objects).find(({ metadata }) => metadata.name === name);
  assert.ok(found, `${name} is desired`);
  return found;
}

describe('the objects of a platform', () => {
  it('are all that the design lists', () => {
    const zones = ['a', 'b', 'c'].map((letter) => `zone-${letter}`);
    const expected = [
      'ConfigMap/orders-gateway',
      'NetworkPolicy/orders-etcd',
      'NetworkPolicy/orders-gateway',
      'NetworkPolicy/orders-redis',
      'NetworkPolicy/orders-replicator',
      'Service/orders-etcd',
      'Service/orders-gateway',
      'Service/orders-redis',
      'ServiceAccount/orders-etcd',
      'ServiceAccount/orders-gateway',
      'ServiceAccount/orders-redis',
      'ServiceAccount/orders-replicator',
      ...zones.flatMap((zone) => [
        `ConfigMap/orders-redis-${zone}`,
        `Deployment/orders-gateway-${zone}`,
        `PodDisruptionBudget/orders-gateway-${zone}`,
        `Service/orders-etcd-${zone}`,
        `Service/orders-gateway-${zone}`,
        `Service/orders-peers-${zone}`,
        `Service/orders-redis-${zone}`,
        `StatefulSet/orders-etcd-${zone}`,
        `StatefulSet/orders-redis-${zone}`,
      ]),
      ...['zone-b', 'zone-c'].flatMap((zone) => [
        `ConfigMap/orders-replicator-${zone}`,
        `Deployment/orders-replicator-${zone}`,
      ]),
    ];
    assert.deepEqual(names(desired()), expected.sort());
  });

  it('belong to the platform, so that they go with it', () => {
    for (const { metadata } of desired()) {
      assert.equal(metadata.namespace, 'messaging');
      assert.equal(metadata.labels?.['causeway.dev/platform'], 'orders');
      assert.deepEqual(
        metadata.ownerReferences?.map(({ uid, controller }) => [uid, controller]),
        [['u-1', true]],
      );
    }
  });

  it('come with what pods need before the pods', () => {
    const kinds = desired().map(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
    assert.deepEqual(
      kinds,
      [...kinds].sort((a, b) => Number(a) - Number(b)),
    );
  });

  it('have pods that meet the restricted Pod Security Standard, and no rights', () => {
    for (const { metadata, spec } of workloads(desired())) {
      const pod = spec.template.spec;
      assert.equal(pod.securityContext['runAsNonRoot'], true, metadata.name);
      assert.deepEqual(pod.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
      assert.equal(pod.automountServiceAccountToken, false);
      assert.notEqual(pod.serviceAccountName, undefined);
      for (const container of pod.containers) {
        assert.deepEqual(container.securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('have pods that do not wait long for a name server that is gone', () => {
    for (const { metadata, spec } of workloads(desired())) {
      const options = spec.template.spec.dnsConfig.options.map(({ name, value }) => `${name}:${value}`);
      assert.deepEqual(options, ['timeout:1', 'attempts:1'], metadata.name);
    }
  });

  it('mount only volumes that are there', () => {
    for (const { metadata, spec } of workloads(desired())) {
      const volumes = new Set([...spec.template.spec.volumes.map(({ name }) => name), 'data']);
      for (const { name } of spec.template.spec.containers.flatMap((container) => container.volumeMounts)) {
        assert.ok(volumes.has(name), `${metadata.name}: ${name}`);
      }
    }
  });

  it('are the same for the same platform', () => {
    assert.deepEqual(desired(), desired());
  });
});

describe('the gateways', () => {
  it('run on the runtime that was asked for', () => {
    const image = (platform: readonly KubeObject[]): string | undefined =>
      find(platform, 'orders-gateway-zone-a').spec.template.spec.containers[0]?.image;
    assert.equal(image(desired()), 'gateway:bun');
    assert.equal(image(desired(({ spec }) => (spec.gateway.runtime = 'Node'))), 'gateway:node');
  });

  it('leave their replicas to an autoscaler when none are asked for', () => {
    assert.equal(find(desired(), 'orders-gateway-zone-a').spec.replicas, 2);
    assert.ok(
      !(
        'replicas' in
        find(
          desired(({ spec }) => delete spec.gateway.replicasPerZone),
          'orders-gateway-zone-a',
        ).spec
      ),
    );
  });

  it('restart when what they read at their start changes, and only then', () => {
    const hash = (change?: (platform: MessagePlatform) => void): unknown =>
      find(desired(change), 'orders-gateway-zone-a').spec.template.metadata.annotations;
    assert.notDeepEqual(
      hash(({ spec }) => (spec.gateway.limits.burst = 999)),
      hash(),
    );
    assert.deepEqual(
      hash(({ spec }) => (spec.gateway.replicasPerZone = 9)),
      hash(),
    );
    assert.deepEqual(
      hash((platform) => (platform.status = { homeZone: 'zone-b' })),
      hash(),
      'a failover restarts no gateway',
    );
  });

  it('are told how to reach Kafka and Redis, with durations in milliseconds', () => {
    const config = gatewayConfig(
      ordersPlatform(({ spec }) => (spec.gateway.limits.tiers = [{ name: 'vip', messagesPerSecond: 5000 }])),
    );
    assert.deepEqual(config.heartbeat, { intervalMs: 25_000, timeoutMs: 10_000 });
    assert.deepEqual(config.kafka.topics, [
      {
        name: 'chat',
        topic: 'orders.chat',
        channels: {
          subscribe: 'Authenticated',
          publish: 'Authenticated',
          history: { size: 1_000, seconds: 3_600 },
          recovery: true,
          presence: false,
          joinLeave: false,
        },
      },
    ]);
    assert.equal(config.redis.url, 'rediss://orders-redis.messaging.svc:6379');
    assert.deepEqual(config.limits.tiers, [{ name: 'vip', messagesPerSecond: 5000, burst: 10_000 }]);
    assert.equal('etcdKey' in config.limits, false);
    const live = gatewayConfig(
      ordersPlatform(({ spec }) => (spec.gateway.limits.etcdKey = '/config/gateway-limits')),
    );
    assert.equal(live.limits.etcdKey, '/config/gateway-limits');
  });

  it('are told of the etcd of each zone where something is replicated, and of the home while they run', () => {
    const { etcd } = gatewayConfig(ordersPlatform());
    assert.deepEqual(etcd, {
      homeZone: 'zone-a',
      epoch: 1,
      prefixes: ['/config/', '/tenants/'],
      zones: ['zone-a', 'zone-b', 'zone-c'].map((zone) => ({
        zone,
        endpoints: [`https://orders-etcd-${zone}.messaging.svc:2379`],
      })),
      dir: '/etc/causeway/internal',
    });
    const moved = gatewayConfig(ordersPlatform((p) => (p.status = { homeZone: 'zone-b', epoch: 2 })));
    assert.deepEqual([moved.etcd?.homeZone, moved.etcd?.epoch], ['zone-b', 2]);
    assert.equal(gatewayConfig(ordersPlatform(({ spec }) => delete spec.etcd.prefixes)).etcd, undefined);
  });

  it('know the pods of every zone by a name, also those that are not ready, and how long to give notice', () => {
    const { peers, drain } = gatewayConfig(ordersPlatform());
    assert.deepEqual(
      peers,
      ['zone-a', 'zone-b', 'zone-c'].map((zone) => ({
        zone,
        host: `orders-peers-${zone}.messaging.svc`,
        port: 8081,
      })),
    );
    const service = desired().find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === 'orders-peers-zone-b',
    ) as unknown as { spec: Record<string, unknown> };
    assert.equal(service.spec['clusterIP'], 'None');
    assert.equal(service.spec['publishNotReadyAddresses'], true);
    assert.deepEqual(service.spec['selector'], {
      'causeway.dev/platform': 'orders',
      'causeway.dev/component': 'gateway',
      'causeway.dev/zone': 'zone-b',
    });
    const { readinessProbe } = find(desired(), 'orders-gateway-zone-a').spec.template.spec
      .containers[0] as unknown as { readinessProbe: { periodSeconds: number; failureThreshold: number } };
    const untilUnready = readinessProbe.periodSeconds * readinessProbe.failureThreshold * 1000;
    assert.ok(drain.noticeMs > untilUnready, `${drain.noticeMs} ms, and the probe takes ${untilUnready}`);
  });

  it('may reach the etcd of their zone, and have what they show it', () => {
    const policy = desired().find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'orders-etcd',
    ) as unknown as {
      spec: { ingress: { from: { podSelector?: { matchLabels: Record<string, string> } }[] }[] };
    };
    const allowed = policy.spec.ingress[0]?.from.map(
      ({ podSelector }) => podSelector?.matchLabels['causeway.dev/component'],
    );
    assert.ok(allowed?.includes('gateway'));
    const mountsOf = (change: (platform: MessagePlatform) => void): string[] =>
      find(desired(change), 'orders-gateway-zone-a').spec.template.spec.containers.flatMap(
        ({ volumeMounts }) => volumeMounts.map(({ name }) => name),
      );
    const externalRedis = ({ spec }: MessagePlatform): void => {
      spec.redis = { external: { url: 'rediss://redis.example.com:6380' } };
    };
    assert.ok(mountsOf(externalRedis).includes('internal'), 'for etcd alone');
    const without = mountsOf((platform) => {
      externalRedis(platform);
      delete platform.spec.etcd.prefixes;
    });
    assert.ok(!without.includes('internal'), 'nothing needs it');
    const external = mountsOf((platform) => {
      externalRedis(platform);
      const zones = platform.spec.zones.map(({ name: zone }) => ({ zone, endpoints: ['https://e:2379'] }));
      platform.spec.etcd = {
        deletionPolicy: 'Retain',
        prefixes: ['/config/'],
        external: { zones, secretRef: { name: 'etcd-user' } },
      };
    });
    assert.ok(external.includes('etcd') && !external.includes('internal'), external.join(' '));
  });

  it('mount the Secrets that the user names', () => {
    const objects = desired(({ spec }) => {
      spec.kafka.tls = { secretRef: { name: 'kafka-ca' } };
      spec.kafka.sasl = { mechanism: 'SCRAM-SHA-512', secretRef: { name: 'kafka-user' } };
      spec.redis = {
        external: { url: 'rediss://redis.example.com:6380', secretRef: { name: 'redis-user' } },
      };
    });
    const secrets = find(objects, 'orders-gateway-zone-a').spec.template.spec.volumes.flatMap(({ secret }) =>
      secret === undefined ? [] : [secret.secretName],
    );
    assert.deepEqual(secrets.sort(), [
      'kafka-ca',
      'kafka-user',
      'orders-internal',
      'orders-jwt',
      'orders-tls',
      'redis-user',
    ]);
  });
});

describe('keys for tokens', () => {
  const jwks = { url: 'https://id.example.com/keys', refreshInterval: '10m' };
  const jwtOf = (change: MessagePlatform['spec']['gateway']['auth']['jwt']): unknown =>
    gatewayConfig(ordersPlatform(({ spec }) => (spec.gateway.auth.jwt = change))).auth.jwt;

  it('come from the mounted Secret, or from a URL whose server has the authority in another one', () => {
    assert.deepEqual(jwtOf({ secretRef: { name: 'orders-jwt' }, issuer: 'us' }), {
      dir: '/etc/causeway/jwt',
      issuer: 'us',
    });
    assert.deepEqual(jwtOf({ jwks }), { jwks: { url: jwks.url, refreshMs: 600_000 } });
    assert.deepEqual(jwtOf({ jwks: { ...jwks, caSecretRef: { name: 'id-ca' } } }), {
      jwks: { url: jwks.url, refreshMs: 600_000, caDir: '/etc/causeway/jwks-ca' },
    });
  });

  it('of a URL need no Secret but that of its authority', () => {
    const objects = desired(({ spec }) => {
      spec.gateway.auth.jwt = { jwks: { ...jwks, caSecretRef: { name: 'id-ca' } } };
    });
    const volumes = find(objects, 'orders-gateway-zone-a').spec.template.spec.volumes;
    const secrets = volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret.secretName]));
    assert.deepEqual(secrets.sort(), ['id-ca', 'orders-internal', 'orders-tls']);
  });
});

describe('tracing', () => {
  const endpoint = 'https://otel.example.com:4318';
  const hashOf = (objects: readonly KubeObject[]): unknown =>
    (
      find(objects, 'orders-gateway-zone-a').spec.template.metadata.annotations as
        Record<string, string> | undefined
    )?.['causeway.dev/config-hash'];

  it('is in gateway.json only where it is asked for, and restarts the gateways', () => {
    assert.ok(!('tracing' in gatewayConfig(ordersPlatform())));
    const traced = (platform: MessagePlatform): void => {
      platform.spec.gateway.tracing = { endpoint, samplingRatePerMillion: 500 };
    };
    assert.deepEqual(gatewayConfig(ordersPlatform(traced)).tracing, {
      endpoint,
      samplingRatePerMillion: 500,
    });
    assert.notEqual(hashOf(desired(traced)), hashOf(desired()));
  });

  it('has headers and an authority from mounted Secrets', () => {
    const traced = (platform: MessagePlatform): void => {
      platform.spec.gateway.tracing = {
        endpoint,
        samplingRatePerMillion: 500,
        headersSecretRef: { name: 'otel-headers' },
        caSecretRef: { name: 'otel-ca' },
      };
    };
    const { headersDir, caDir } = gatewayConfig(ordersPlatform(traced)).tracing ?? {};
    assert.deepEqual([headersDir, caDir], ['/etc/causeway/tracing-headers', '/etc/causeway/tracing-ca']);
    const { volumes, containers } = find(desired(traced), 'orders-gateway-zone-a').spec.template.spec;
    const secrets = volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret.secretName]));
    assert.ok(secrets.includes('otel-headers') && secrets.includes('otel-ca'));
    const mounts = containers[0]?.volumeMounts.map(({ name }) => name) ?? [];
    assert.ok(mounts.includes('tracing-headers') && mounts.includes('tracing-ca'));
  });
});

describe('rpc methods', () => {
  const change = ({ spec }: MessagePlatform): void => {
    spec.gateway.rpc = [
      { method: 'a', url: 'http://a.svc/rpc', timeout: '3s', concurrency: 100 },
      {
        method: 'b',
        url: 'https://b.svc/rpc',
        timeout: '500ms',
        concurrency: 5,
        secretRef: { name: 'b-token' },
        caSecretRef: { name: 'b-ca' },
      },
    ];
  };

  it('are told to gateways, which mount their Secrets', () => {
    assert.equal(gatewayConfig(ordersPlatform()).rpc, undefined);
    assert.deepEqual(gatewayConfig(ordersPlatform(change)).rpc, [
      { method: 'a', url: 'http://a.svc/rpc', timeoutMs: 3_000, concurrency: 100 },
      {
        method: 'b',
        url: 'https://b.svc/rpc',
        timeoutMs: 500,
        concurrency: 5,
        dir: '/etc/causeway/rpc/1',
        caDir: '/etc/causeway/rpc/1-ca',
      },
    ]);
    const { volumes } = find(desired(change), 'orders-gateway-zone-a').spec.template.spec;
    const mounted = volumes.flatMap(({ name, secret }) =>
      name.startsWith('rpc') ? [`${name} ${secret?.secretName}`] : [],
    );
    assert.deepEqual(mounted, ['rpc-1 b-token', 'rpc-1-ca b-ca']);
  });
});

describe('the home zone', () => {
  const selectorOf = (objects: readonly KubeObject[], name: string): unknown =>
    (
      objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name) as unknown as {
        spec: { selector: Record<string, string> };
      }
    ).spec.selector['causeway.dev/zone'];

  it('is where the Services of Redis and etcd point, and a failover moves both', () => {
    assert.deepEqual(
      ['orders-redis', 'orders-etcd'].map((name) => selectorOf(desired(), name)),
      ['zone-a', 'zone-a'],
    );
    const moved = desired((platform) => (platform.status = { homeZone: 'zone-b' }));
    assert.deepEqual(
      ['orders-redis', 'orders-etcd'].map((name) => selectorOf(moved, name)),
      ['zone-b', 'zone-b'],
    );
    assert.ok(names(moved).includes('Deployment/orders-replicator-zone-a'));
    assert.ok(!names(moved).includes('Deployment/orders-replicator-zone-b'));
  });
});

describe('what somebody else runs', () => {
  it('is not made: an external Redis and etcd', () => {
    const objects = desired(({ spec }) => {
      spec.redis = { external: { url: 'redis://redis.example.com:6379' } };
      spec.etcd = {
        deletionPolicy: 'Retain',
        prefixes: ['/config/'],
        external: {
          zones: spec.zones.map(({ name }) => ({ zone: name, endpoints: [`https://etcd.${name}:2379`] })),
        },
      };
    });
    assert.deepEqual(
      names(objects).filter((name) => /-(redis|etcd)/.test(name)),
      [],
    );
    assert.ok(names(objects).includes('Deployment/orders-replicator-zone-b'), 'it is still replicated');
  });

  it('is not replicated when there are no prefixes', () => {
    assert.deepEqual(
      names(desired(({ spec }) => delete spec.etcd.prefixes)).filter((name) => name.includes('replicator')),
      [],
    );
  });
});

describe('the etcd volumes', () => {
  it('are kept when the platform is deleted, unless that was asked for', () => {
    const policy = (change?: (platform: MessagePlatform) => void): unknown =>
      find(desired(change), 'orders-etcd-zone-a').spec.persistentVolumeClaimRetentionPolicy;
    assert.deepEqual(policy(), { whenDeleted: 'Retain', whenScaled: 'Retain' });
    assert.deepEqual(
      policy(({ spec }) => (spec.etcd.deletionPolicy = 'Delete')),
      { whenDeleted: 'Delete', whenScaled: 'Retain' },
    );
  });
});

describe('the certificates', () => {
  it('name every Service, in each form that a client may use, and the names of the user', () => {
    const wish = certificateWish(
      ordersPlatform(({ spec }) => (spec.tls.dnsNames = ['rt.example.com'])),
      undefined,
    );
    for (const name of [
      'orders-gateway',
      'orders-gateway.messaging.svc',
      'orders-gateway-zone-b.messaging.svc.cluster.local',
      'rt.example.com',
    ]) {
      assert.ok(wish.servedNames.includes(name), name);
    }
    for (const name of [
      'orders-redis.messaging.svc',
      'orders-redis-zone-c.messaging.svc',
      'orders-etcd-zone-a.messaging.svc',
      'localhost',
    ]) {
      assert.ok(wish.innerNames.includes(name), name);
    }
  });
});

describe('the time of renewal', () => {
  const HOUR = 3_600_000;
  const of = (uid: string, renewBefore = '720h'): number =>
    spreadRenewal(
      ordersPlatform(({ metadata }) => {
        metadata.uid = uid;
      }),
      { duration: '2160h', renewBefore },
    );
  const thousand = (renewBefore?: string): number[] =>
    Array.from({ length: 1000 }, (_, index) => of(`u-${index}`, renewBefore));

  it('is the same for a platform each time', () => {
    assert.equal(of('u-1'), of('u-1'));
  });

  it('is spread over the tenth before it is due, for a thousand platforms', () => {
    const times = thousand().map((ms) => ms / HOUR);
    assert.ok(Math.min(...times) >= 720 && Math.max(...times) <= 792);
    const perTenth = Map.groupBy(times, (hours) => Math.floor((hours - 720) / 7.2));
    assert.equal(perTenth.size, 10);
    for (const [, some] of perTenth) assert.ok(some.length > 50 && some.length < 150, `${some.length}`);
  });

  it('leaves each certificate time to rest, however long renewBefore is', () => {
    assert.ok(thousand('2159h').every((ms) => ms >= 2159 * HOUR && ms <= 2159.5 * HOUR));
  });
});
