/** What the chart makes of its values: Helm accepts much that is no YAML, until somebody turns it on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ADMIN_PATH, COMPONENT, LABEL } from '@causeway/crds';
import { desiredObjects } from '../../operator/src/platform/desired.ts';
import { IMAGES, ordersPlatform } from '../../operator/src/platform/testing/orders.ts';
import { ensureBinary, versions } from '../binaries/index.ts';
import { run } from '../tools/index.ts';

const chart = join(import.meta.dirname, '../../charts/causeway');

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: {
    groups?: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
    namespaceSelector?: object;
    selector?: { matchExpressions?: { key: string; operator: string; values: string[] }[] };
    podTargetLabels?: string[];
    podMetricsEndpoints?: { port: string; path: string }[];
    template?: { spec: { containers: { env: { name: string; valueFrom?: object }[] }[] } };
  };
  rules?: { resources: string[] }[];
}

interface Deployment {
  metadata: { name: string; labels?: Record<string, string> };
  spec: { template: { spec: { containers: { ports: { name: string }[] }[] } } };
}

async function render(...settings: string[]): Promise<Manifest[]> {
  const { stdout } = await run(await ensureBinary('helm'), [
    'template',
    'c',
    chart,
    '--kube-version',
    versions.kubernetes,
    ...settings.flatMap((setting) => ['--set', setting]),
  ]);
  return parseAllDocuments(stdout).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
}
const kinds = (manifests: Manifest[]): string[] => manifests.map(({ kind }) => kind);

describe('the chart', () => {
  it('asks for nothing that needs a CRD of somebody else, unless it is told to', async () => {
    const plain = kinds(await render());
    assert.ok(plain.includes('ClusterRole') && plain.includes('Deployment'));
    for (const theirs of ['ServiceMonitor', 'PodMonitor', 'PrometheusRule'])
      assert.ok(!plain.includes(theirs), theirs);
  });

  it('has alerts, each with an expression and a sentence for whoever is woken', async () => {
    const manifests = await render('metrics.serviceMonitor=true', 'metrics.prometheusRule=true');
    assert.ok(kinds(manifests).includes('ServiceMonitor'));
    const rules = manifests.find(({ kind }) => kind === 'PrometheusRule')?.spec?.groups?.[0]?.rules ?? [];
    assert.deepEqual(
      rules.map(({ alert }) => alert),
      [
        'CausewayNoLeader',
        'CausewayReconcileErrors',
        'CausewayPlatformNotReady',
        'CausewayCertificateNotRenewed',
        'CausewayCertificateExpires',
        'CausewayRotationRolledBack',
        'CausewayAutomaticFailoverHindered',
        'CausewayReplicationStalled',
        'CausewayMirrorLagUnknown',
        'CausewayFailoverNotDone',
      ],
    );
    for (const { alert, expr, annotations } of rules) {
      assert.match(expr, /leader_election|controller_runtime_|causeway_/, alert);
      assert.match(annotations.summary, /\.$/, alert);
    }
  });

  it('has the pods of platforms scraped: by the labels and the port that the operator gives them', async () => {
    const podMonitor = async (...settings: string[]): Promise<Manifest['spec']> =>
      (await render('metrics.podMonitor=true', ...settings)).find(({ kind }) => kind === 'PodMonitor')?.spec;
    const spec = await podMonitor();
    assert.deepEqual(spec?.namespaceSelector, { any: true });
    assert.deepEqual((await podMonitor('watchNamespaces={a,b}'))?.namespaceSelector, {
      matchNames: ['a', 'b'],
    });
    assert.deepEqual(spec?.podTargetLabels, [LABEL.zone, LABEL.component]);
    const [part] = spec?.selector?.matchExpressions ?? [];
    const [endpoint] = spec?.podMetricsEndpoints ?? [];
    assert.deepEqual(part, {
      key: LABEL.component,
      operator: 'In',
      values: [COMPONENT.gateway, COMPONENT.replicator],
    });
    assert.equal(endpoint?.path, ADMIN_PATH.metrics);
    const deployments = desiredObjects(ordersPlatform(), IMAGES).filter(
      ({ kind }) => kind === 'Deployment',
    ) as unknown as Deployment[];
    const parts: readonly string[] = part.values;
    const scraped = deployments.filter(({ metadata }) =>
      parts.includes(metadata.labels?.[LABEL.component] ?? ''),
    );
    assert.equal(scraped.length, deployments.length, 'all pods that are ours');
    for (const {
      metadata,
      spec: { template },
    } of scraped) {
      const ports = template.spec.containers.flatMap((container) => container.ports.map(({ name }) => name));
      assert.ok(endpoint !== undefined && ports.includes(endpoint.port), metadata.name);
    }
  });

  it('gives rights in the named namespaces only, when there are any', async () => {
    const manifests = await render('watchNamespaces={a,b}');
    const namespaces = manifests
      .filter(({ kind }) => kind === 'RoleBinding')
      .map(({ metadata }) => metadata.namespace);
    assert.ok(namespaces.includes('a') && namespaces.includes('b'), namespaces.join(', '));
  });

  it('lets the operator know its zone, by its node, whatever namespaces it works in', async () => {
    for (const settings of [[], ['watchNamespaces={a}']]) {
      const manifests = await render(...settings);
      const env = manifests.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec.containers[0]
        ?.env;
      assert.deepEqual(env?.find(({ name }) => name === 'NODE_NAME')?.valueFrom, {
        fieldRef: { fieldPath: 'spec.nodeName' },
      });
      const cluster = manifests
        .filter(({ kind }) => kind === 'ClusterRole')
        .flatMap(({ rules }) => rules ?? []);
      assert.ok(cluster.some(({ resources }) => resources.includes('nodes')));
    }
  });

  it('refuses a value that it does not know', async () => {
    await assert.rejects(render('replica=3'), /replica/);
  });
});
