/** A platform as the API server stores examples/orders.yaml, for tests. */
import { API_GROUP_VERSION } from '@causeway/crds';
import type { MessagePlatform } from '../types.ts';

export const IMAGES = {
  gatewayBun: 'gateway:bun',
  gatewayNode: 'gateway:node',
  redis: 'redis:7',
  etcd: 'etcd:3',
};

/** `change` may edit the copy that is returned. */
export function ordersPlatform(
  change: (platform: MessagePlatform) => void = () => undefined,
): MessagePlatform {
  const platform: MessagePlatform = {
    apiVersion: API_GROUP_VERSION,
    kind: 'MessagePlatform',
    metadata: {
      name: 'orders',
      namespace: 'messaging',
      uid: 'u-1',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-23T12:00:00Z',
    },
    spec: {
      zones: [{ name: 'zone-a' }, { name: 'zone-b' }, { name: 'zone-c' }],
      homeZone: 'zone-a',
      gateway: {
        runtime: 'Bun',
        replicasPerZone: 2,
        heartbeat: { interval: '25s', timeout: '10s' },
        connectTimeout: '10s',
        auth: { jwt: { secretRef: { name: 'orders-jwt' } } },
        limits: { connectionsPerReplica: 20_000, messagesPerSecond: 200, burst: 400 },
        service: { type: 'ClusterIP', port: 443 },
      },
      kafka: {
        bootstrapServers: 'kafka.kafka:9092',
        deletionPolicy: 'Retain',
        topics: [
          {
            name: 'chat',
            partitions: 6,
            replicationFactor: 3,
            config: { 'min.insync.replicas': '2' },
            channels: {
              subscribe: 'Authenticated',
              publish: 'Authenticated',
              history: { size: 1_000, ttl: '1h' },
              recovery: true,
              presence: false,
              joinLeave: false,
            },
          },
        ],
      },
      redis: { storage: '1Gi' },
      etcd: { storage: '1Gi', deletionPolicy: 'Retain', prefixes: ['/config/', '/tenants/'] },
      tls: {
        issuer: { selfManaged: {} },
        duration: '2160h',
        renewBefore: '720h',
        authority: { duration: '87600h', renewBefore: '8760h' },
        ticketKeyLifetime: '24h',
        rotation: {
          maxUnverified: 1,
          canaryPause: '10s',
          pauseBetweenZones: '10s',
          podTimeout: '60s',
          unavailableZone: 'Wait',
        },
      },
      failover: { automatic: false, unhealthyAfter: '10s', drainPerSecond: 2000 },
    },
  };
  change(platform);
  return platform;
}
