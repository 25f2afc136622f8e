import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMPONENT, LABEL } from '@causeway/crds';
import { dnsEndpoint, weightOf, type FrontService } from './dns.ts';
import { ordersPlatform } from './testing/orders.ts';
import type { MessagePlatform } from './types.ts';
import type { Pod } from './workloads.ts';

const DNS = {
  hostname: 'chat.example.com',
  setIdentifier: 'eu',
  weight: 100,
  weightProperty: 'aws/weight',
  recordTTL: 60,
};

function platformWith(
  dns: Partial<NonNullable<MessagePlatform['spec']['gateway']['dns']>> = {},
  away: readonly string[] = [],
): MessagePlatform {
  return ordersPlatform((platform) => {
    platform.spec.gateway.dns = { ...DNS, ...dns };
    platform.status = { away: away.map((zone) => ({ zone, failover: 'drill' })) };
  });
}

function gateway(
  zone: string,
  change: { ready?: boolean; serving?: boolean; deleting?: boolean; component?: string } = {},
): Pod {
  const { ready = true, serving = true, deleting = false, component = COMPONENT.gateway } = change;
  const labels = { [LABEL.component]: component, [LABEL.zone]: zone, [LABEL.serving]: String(serving) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `gateway-${zone}`,
      labels,
      ...(deleting ? { deletionTimestamp: '2026-11-24T10:00:00Z' } : {}),
    },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const ALL = ['zone-a', 'zone-b', 'zone-c'].map((zone) => gateway(zone));

describe('the weight of a cluster', () => {
  it('is what was asked for while all zones serve', () => {
    assert.equal(weightOf(platformWith(), ALL), 100);
    assert.equal(weightOf(platformWith(), [...ALL, ...ALL]), 100);
  });

  it('is less in proportion, and not nothing, while some serve', () => {
    assert.equal(weightOf(platformWith(), ALL.slice(0, 2)), 67);
    assert.equal(weightOf(platformWith({ weight: 1 }), ALL.slice(0, 1)), 1);
  });

  const outOfService: { what: string; pod: Pod; away?: string[] }[] = [
    { what: 'is not ready', pod: gateway('zone-a', { ready: false }) },
    { what: 'is out of service', pod: gateway('zone-a', { serving: false }) },
    { what: 'is on its way out', pod: gateway('zone-a', { deleting: true }) },
    { what: 'is no gateway', pod: gateway('zone-a', { component: COMPONENT.redis }) },
    { what: 'is in a zone that a failover took out', pod: gateway('zone-a'), away: ['zone-a'] },
    { what: 'is in a zone of another platform', pod: gateway('zone-x') },
  ];
  for (const { what, pod, away = [] } of outOfService)
    it(`is nothing when the only pod ${what}`, () => {
      assert.equal(weightOf(platformWith({}, away), [pod]), 0);
    });

  it('is nothing when nothing was asked for', () =>
    assert.equal(weightOf(platformWith({ weight: 0 }), ALL), 0));
});

describe('the record', () => {
  const front = (...ingress: { ip?: string; hostname?: string }[]): FrontService => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'orders-gateway' },
    status: { loadBalancer: { ingress } },
  });
  const targets = (
    dns: Parameters<typeof platformWith>[0],
    service?: FrontService,
  ): [string, string[]][] | undefined =>
    dnsEndpoint(platformWith(dns), { service, pods: ALL })?.spec?.endpoints?.map((one) => [
      one.recordType,
      one.targets,
    ]);

  it('is the whole one, and the platform owns it', () => {
    const record = dnsEndpoint(platformWith({ targets: ['192.0.2.1'] }), { service: undefined, pods: ALL });
    assert.equal(record?.metadata.name, 'orders-gateway');
    assert.equal(record?.metadata.ownerReferences?.[0]?.uid, 'u-1');
    assert.deepEqual(record?.spec?.endpoints, [
      {
        dnsName: 'chat.example.com',
        recordType: 'A',
        targets: ['192.0.2.1'],
        recordTTL: 60,
        setIdentifier: 'eu',
        providerSpecific: [{ name: 'aws/weight', value: '100' }],
      },
    ]);
  });

  it('points at the load balancer, by family, in an order that does not change', () => {
    const service = front({ ip: '192.0.2.9' }, { ip: '2001:db8::1' }, { ip: '192.0.2.1' });
    assert.deepEqual(targets({}, service), [
      ['A', ['192.0.2.1', '192.0.2.9']],
      ['AAAA', ['2001:db8::1']],
    ]);
    assert.deepEqual(targets({}, front({ hostname: 'lb.example.net' })), [['CNAME', ['lb.example.net']]]);
  });

  it('points where it is told, whatever the load balancer', () => {
    assert.deepEqual(targets({ targets: ['192.0.2.2'] }, front({ ip: '192.0.2.9' })), [['A', ['192.0.2.2']]]);
  });

  it('is none while nobody knows where it is to point, or nobody asked for it', () => {
    assert.equal(targets({}), undefined);
    assert.equal(targets({}, front()), undefined);
    assert.equal(
      dnsEndpoint(ordersPlatform(), { service: front({ ip: '192.0.2.9' }), pods: ALL }),
      undefined,
    );
  });
});
