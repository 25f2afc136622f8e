/** Weighted records against a real API server, before and after external-dns' CRD is there. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { COMPONENT, LABEL, type MessagePlatform } from '@causeway/crds';
import { NAMESPACE, platformYaml, startTestCluster, type TestCluster } from '../cli/testing/cluster.ts';
import type { DnsEndpoint } from './dns.ts';
import { KIND } from './kinds.ts';

/** As much of external-dns' schema as a record of ours meets, with its bounds; fields of others are refused. */
const CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: dnsendpoints.externaldns.k8s.io
  annotations: { api-approved.kubernetes.io: 'https://github.com/kubernetes-sigs/external-dns/pull/2007' }
spec:
  group: externaldns.k8s.io
  scope: Namespaced
  names: { kind: DNSEndpoint, listKind: DNSEndpointList, plural: dnsendpoints, singular: dnsendpoint }
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources: { status: {} }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                endpoints:
                  type: array
                  items:
                    type: object
                    required: [dnsName, recordType]
                    properties:
                      dnsName: { type: string, minLength: 1, maxLength: 254 }
                      recordType: { type: string, enum: [A, AAAA, CNAME, TXT] }
                      recordTTL: { type: integer, format: int64, minimum: 0 }
                      setIdentifier: { type: string, maxLength: 255 }
                      targets: { type: array, items: { type: string, minLength: 1 } }
                      providerSpecific:
                        type: array
                        items:
                          type: object
                          required: [name]
                          properties: { name: { type: string, minLength: 1 }, value: { type: string } }
            status:
              type: object
              properties: { observedGeneration: { type: integer, format: int64 } }
`;

let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster();
});

after(async () => {
  await cluster?.stop();
});

async function edit(dns: object | null): Promise<void> {
  const patch = JSON.stringify({ spec: { gateway: { dns } } });
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'mp', 'orders', '--type=merge', '-p', patch]);
}

async function said(): Promise<string | undefined> {
  const platform = await cluster.api.get<MessagePlatform>(KIND.platform, {
    namespace: NAMESPACE,
    name: 'orders',
  });
  return platform?.status?.conditions?.find(({ type }) => type === 'DnsReady')?.reason;
}

function record(): Promise<DnsEndpoint | undefined> {
  return cluster.api.get<DnsEndpoint>(KIND.dnsEndpoint, { namespace: NAMESPACE, name: 'orders-gateway' });
}

async function weight(): Promise<string | undefined> {
  return (await record())?.spec?.endpoints?.[0]?.providerSpecific[0]?.value;
}

/** A gateway of zone-b that is ready: no kubelet runs here. */
async function serveZoneB(): Promise<void> {
  const labels = {
    [LABEL.platform]: 'orders',
    [LABEL.component]: COMPONENT.gateway,
    [LABEL.zone]: 'zone-b',
    [LABEL.serving]: 'true',
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'gateway-b', namespace: NAMESPACE, labels },
    spec: { containers: [{ name: 'gateway', image: 'gateway' }] },
  };
  await cluster.api.create(KIND.pod, pod);
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
  const status = JSON.stringify({ status: { phase: 'Running', conditions } });
  const how = ['--subresource=status', '--type=merge', '-p', status];
  await cluster.kubectl(['-n', NAMESPACE, 'patch', 'pod', 'gateway-b', ...how]);
}

it('a record waits for targets and for the CRD, follows the zones that serve, and goes when nobody asks for it', async () => {
  await cluster.kubectl(['apply', '-f', '-'], platformYaml('127.0.0.1:1'));
  await edit({ hostname: 'chat.example.com', setIdentifier: 'eu', weight: 90 });
  await cluster.operate(async () => (await said()) === 'NoTargets');
  await edit({ targets: ['192.0.2.1', '2001:db8::1'] });
  await cluster.operate(async () => (await said()) === 'ExternalDnsMissing');
  // One and the same operator notices that the CRD came later.
  let given = false;
  await cluster.operate(async () => {
    if (!given) {
      given = true;
      await cluster.kubectl(['create', '-f', '-'], CRD);
    }
    return (await said()) === 'AsDesired';
  });
  assert.equal(await weight(), '0', 'no zone serves');
  const made = await record();
  assert.deepEqual(
    made?.spec?.endpoints?.map(({ recordType, targets }) => [recordType, targets]),
    [
      ['A', ['192.0.2.1']],
      ['AAAA', ['2001:db8::1']],
    ],
  );
  assert.equal(made?.metadata.ownerReferences?.[0]?.kind, 'MessagePlatform');
  await serveZoneB();
  await cluster.operate(async () => (await weight()) === '30');
  await cluster.kubectl(['-n', NAMESPACE, 'delete', 'dnsendpoint', 'orders-gateway']);
  await cluster.operate(async () => (await weight()) === '30');
  const { resourceVersion } = (await record())?.metadata ?? {};
  await edit({ weight: 60 });
  await cluster.operate(async () => (await weight()) === '20');
  assert.notEqual((await record())?.metadata.resourceVersion, resourceVersion);
  await edit(null);
  await cluster.operate(async () => (await record()) === undefined && (await said()) === undefined);
});
