/** `causeway plan` against a real API server and a real Kafka, before and after a real operator. */
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { startKafka, type Kafka } from '../../../e2e/harness/index.ts';
import { run, CommandError } from '../../../e2e/tools/index.ts';
import { KIND } from '../platform/index.ts';
import { IMAGES } from '../platform/testing/orders.ts';
import { runPlan, type PlanOptions, type PlanOutput } from './plan.ts';
import type { PlatformPlan } from './plan-platform.ts';
import {
  auditedWrites,
  NAMESPACE,
  platformYaml,
  startTestCluster,
  type TestCluster,
} from './testing/cluster.ts';
import { testIo } from './testing/io.ts';

let cluster: TestCluster;
let kafka: Kafka;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-plan-'));
  [cluster, kafka] = await Promise.all([startTestCluster(), startKafka()]);
});

after(async () => {
  await Promise.all([cluster?.stop(), kafka?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

interface Planned {
  code: number;
  stdout: string;
  stderr: string;
}

async function plan(file: string, change: Partial<PlanOptions> = {}): Promise<Planned> {
  const io = testIo({ stdin: file });
  const code = await runPlan(
    {
      kubeconfig: cluster.controlPlane.kubeconfig,
      filename: ['-'],
      output: 'text',
      kafka: true,
      full: false,
      exitCode: true,
      images: { asked: {}, defaults: IMAGES },
      ...change,
    },
    io,
  );
  return { code, stdout: io.stdout, stderr: io.stderr };
}

async function planned(
  file: string,
  change: Partial<PlanOptions> = {},
): Promise<{ plan: PlatformPlan; output: PlanOutput }> {
  const { stdout, stderr } = await plan(file, { output: 'json', ...change });
  const output = JSON.parse(stdout) as PlanOutput;
  const [first] = output.platforms;
  if (first === undefined || 'error' in first) assert.fail(stderr);
  return { plan: first, output };
}

const orders = (): string => platformYaml(kafka.bootstrapServers);

describe('before a platform is there', () => {
  it('all is to be created, and nothing is', async () => {
    const { code, stdout } = await plan(orders());
    assert.equal(code, 2);
    assert.match(stdout, /^ {2}\+ MessagePlatform {6}orders$/m);
    assert.match(stdout, /^ {2}\+ Deployment {11}orders-gateway-zone-c$/m);
    assert.match(stdout, /^ {2}\+ orders\.chat {2}\(3 partitions, 1 replica, retention\.ms=86400000\)$/m);
    assert.match(stdout, /^Skipped, since only MessagePlatforms are planned: Secret orders-jwt\.$/m);
    assert.match(
      stdout,
      /^Plan: \d\d to create, 0 to change, 0 to delete; topics: 1 to create, 0 to change, 0 to delete\.$/m,
    );
    assert.doesNotMatch(stdout, /Will not work yet/);
    assert.deepEqual((await cluster.api.list(KIND.platform)).items, []);
    assert.deepEqual((await cluster.api.list(KIND.secret, { namespace: NAMESPACE })).items, []);
  });

  it('says the same each time', async () => {
    assert.deepEqual(await plan(orders(), { output: 'yaml' }), await plan(orders(), { output: 'yaml' }));
  });

  it('counts what waits for a Secret, and says which one', async () => {
    const { plan: found } = await planned(platformYaml(kafka.bootstrapServers, { secret: false }));
    assert.deepEqual(
      found.problems.map(({ message }) => message),
      ['Secret messaging/orders-jwt does not exist. Create it with hmac or jwks.json.'],
    );
    assert.deepEqual(
      found.objects.filter(({ reason }) => reason === 'waits for a Secret').map(({ name }) => name),
      ['orders-gateway-zone-a', 'orders-gateway-zone-b', 'orders-gateway-zone-c'],
    );
  });

  it('takes over no object of somebody else', async () => {
    await cluster.kubectl(['-n', NAMESPACE, 'create', 'configmap', 'orders-gateway']);
    await cluster.kubectl(['-n', NAMESPACE, 'label', 'configmap', 'orders-gateway', 'mine=yes']);
    const { plan: found } = await planned(orders());
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'configmap', 'orders-gateway']);
    assert.deepEqual(
      found.problems.map(({ reason }) => reason),
      ['NameTaken'],
    );
    assert.ok(!found.objects.some(({ kind, name }) => kind === 'ConfigMap' && name === 'orders-gateway'));
  });

  it('gives the API server’s own words for what is wrong, and goes on with the next platform', async () => {
    const wrong = orders()
      .replace('homeZone: zone-a', 'homeZone: zone-x')
      .replace('partitions: 3', 'partition: 3');
    const { code, stdout, stderr } = await plan(
      `${wrong}---\n${orders().replace('name: orders\n', 'name: second\n')}`,
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error: MessagePlatform messaging\/orders: .*unknown field "spec\.kafka\.topics\[0\]\.partition"/,
    );
    assert.match(stdout, /^MessagePlatform messaging\/second$/m);

    const invalid = await plan(orders().replace('homeZone: zone-a', 'homeZone: zone-x'));
    assert.match(
      invalid.stderr,
      /^error: MessagePlatform messaging\/orders: MessagePlatform\.causeway\.dev "orders" is invalid: .*homeZone/,
    );
  });

  it('plans into a namespace that the file brings, and refuses one that nobody brings', async () => {
    const elsewhere = orders().replaceAll('namespace: messaging', 'namespace: elsewhere');
    const refused = await plan(elsewhere);
    assert.equal(
      refused.stderr,
      'error: MessagePlatform elsewhere/orders: namespace elsewhere does not exist. Create it (kubectl create namespace elsewhere), or add it to the file.\n',
    );
    const { plan: found } = await planned(
      `{ apiVersion: v1, kind: Namespace, metadata: { name: elsewhere } }\n---\n${elsewhere}`,
    );
    assert.ok(
      found.notes.includes('Namespace elsewhere is not there yet: the file brings it.'),
      found.notes.join(),
    );
    const { plan: here } = await planned(orders());
    assert.equal(found.objects.length, here.objects.length);
  });

  it('says so when Kafka cannot be reached, or is not to be asked', async () => {
    const { plan: unreachable } = await planned(platformYaml('127.0.0.1:1'));
    assert.equal(unreachable.topics.source, 'status');
    assert.match(
      unreachable.topics.note ?? '',
      /^Kafka at 127\.0\.0\.1:1 cannot be reached: .* Often it can be reached only from inside the cluster\.$/,
    );
    const { plan: unasked } = await planned(orders(), { kafka: false });
    assert.equal(unasked.topics.note, 'Kafka was not asked (--no-kafka).');
    assert.deepEqual(
      unasked.topics.changes.map(({ action }) => action),
      ['create'],
    );
  });
});

describe('after the operator made a platform', () => {
  before(async () => {
    await cluster.kubectl(['apply', '-f', '-'], orders());
    const deployed = async (): Promise<boolean> => {
      const platform = await cluster.api.get<{ status?: { topicsSummary?: string } } & PlatformObject>(
        KIND.platform,
        {
          namespace: NAMESPACE,
          name: 'orders',
        },
      );
      return platform?.status?.topicsSummary === '1/1';
    };
    await cluster.operate(deployed);
  });

  it('nothing is to be done, and the exit code says so', async () => {
    assert.deepEqual(await plan(orders()), {
      code: 0,
      stderr: '',
      stdout: `MessagePlatform messaging/orders

Objects: as they should be.

Topics: as they should be.

Skipped, since only MessagePlatforms are planned: Secret orders-jwt.
Plan: 0 to create, 0 to change, 0 to delete; topics: 0 to create, 0 to change, 0 to delete.
`,
    });
  });

  it('shows an edit as a diff, down to the topics, and what it leads to', async () => {
    const edited = orders()
      .replace('replicasPerZone: 1', 'replicasPerZone: 2')
      .replace('    - name: zone-c\n', '')
      .replace('partitions: 3', 'partitions: 6')
      .replace('"86400000"', '"1000"');
    const { plan: found, output } = await planned(edited);
    assert.deepEqual(
      found.objects
        .map(({ action, kind, name }) => `${action} ${kind} ${name}`)
        .filter((line) => /^change|Deployment/.test(line)),
      [
        'change MessagePlatform orders',
        'change Secret orders-internal',
        // It names the zones that gateways ask after.
        'change ConfigMap orders-gateway',
        'change Deployment orders-gateway-zone-a',
        'change Deployment orders-gateway-zone-b',
        'delete Deployment orders-gateway-zone-c',
      ],
    );
    const gateway = found.objects.find(
      ({ name, kind }) => name === 'orders-gateway-zone-a' && kind === 'Deployment',
    );
    assert.match(gateway?.diff ?? '', /^-  replicas: 1\n\+  replicas: 2$/m);
    assert.deepEqual(found.notes, [
      'To be issued: inner (NamesChanged).',
      "A rotation of the gateways' certificate will begin (NamesChanged).",
    ]);
    assert.deepEqual(found.topics, {
      source: 'kafka',
      changes: [
        { action: 'grow', topic: 'orders.chat', partitions: { from: 3, to: 6 } },
        {
          action: 'alter',
          topic: 'orders.chat',
          config: { 'retention.ms': { from: '86400000', to: '1000' } },
        },
      ],
    });
    assert.deepEqual(output.summary.topics, { create: 0, change: 1, delete: 0, refused: 0 });
  });

  it('never shows what is in a Secret', async () => {
    const { items } = await cluster.api.list<PlatformObject & { data?: Record<string, string> }>(
      KIND.secret,
      {
        namespace: NAMESPACE,
      },
    );
    const values = items.flatMap(({ data = {} }) => Object.values(data)).filter((value) => value.length > 12);
    assert.ok(values.length > 10);
    const { stdout } = await plan(orders().replace('    - name: zone-c\n', ''), {
      full: true,
      output: 'json',
    });
    for (const value of values) {
      const text = Buffer.from(value, 'base64').toString('utf8');
      assert.ok(!stdout.includes(value) && !stdout.includes(text.slice(40, 80).trim() || value));
    }
  });

  it('says what the operator would refuse to do to a topic', async () => {
    const { plan: found, output } = await planned(orders().replace('partitions: 3', 'partitions: 1'));
    assert.deepEqual(found.topics.changes, [
      {
        action: 'refuse',
        topic: 'orders.chat',
        reason: 'FewerPartitions',
        message:
          'Topic orders.chat has 3 partitions and the platform asks for 1; Kafka cannot take partitions away. Set partitions to 3 or more.',
      },
    ]);
    assert.deepEqual(output.summary.topics, { create: 0, change: 0, delete: 0, refused: 1 });
  });

  it('shows drift, and leaves alone what others own', async () => {
    const namespaced = ['-n', NAMESPACE];
    await cluster.kubectl([...namespaced, 'annotate', 'service', 'orders-gateway', 'others=theirs']);
    await cluster.kubectl([...namespaced, 'scale', 'deployment', 'orders-gateway-zone-b', '--replicas=4']);
    await cluster.kubectl([...namespaced, 'delete', 'poddisruptionbudget', 'orders-gateway-zone-a']);
    const { plan: found } = await planned(orders());
    assert.deepEqual(
      found.objects.map(({ action, kind, name, reason }) => [action, kind, name, reason]),
      [
        ['create', 'PodDisruptionBudget', 'orders-gateway-zone-a', undefined],
        ['change', 'Deployment', 'orders-gateway-zone-b', 'spec.replicas differs'],
      ],
    );
  });

  it('follows a platform that is kept by server-side apply: a field that left the file goes', async () => {
    const other = orders().replaceAll('name: orders\n', 'name: ssa\n');
    const withOrigins = other.replace(
      'replicasPerZone: 1',
      'replicasPerZone: 1\n    allowedOrigins: [https://a.example]',
    );
    await cluster.kubectl(['apply', '--server-side', '--field-manager=flux', '-f', '-'], withOrigins);
    const { plan: found } = await planned(other);
    const [platform] = found.objects;
    assert.equal(platform?.kind, 'MessagePlatform');
    assert.match(platform.diff ?? '', /^-    allowedOrigins:\n-      - https:\/\/a\.example$/m);
    const spec = parse(await cluster.kubectl(['-n', NAMESPACE, 'get', 'mp', 'ssa', '-o', 'yaml'])) as {
      spec: { gateway: { allowedOrigins?: string[] } };
    };
    assert.deepEqual(spec.spec.gateway.allowedOrigins, ['https://a.example']);
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'mp', 'ssa']);
  });

  it('leaves out Secrets and nodes for somebody who may not read them, and says so', async () => {
    await cluster.kubectl(['apply', '-f', '-'], LIMITED_RIGHTS);
    const token = (await cluster.kubectl(['-n', NAMESPACE, 'create', 'token', 'engineer'])).trim();
    const kubeconfig = join(folder, 'limited');
    const admin = await cluster.kubectl(['config', 'view', '--raw', '-o', 'json']);
    const config = JSON.parse(admin) as { users: { user: unknown }[] };
    for (const user of config.users) user.user = { token };
    writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    const { plan: found } = await planned(orders(), { kubeconfig });
    assert.deepEqual(found.notes, [
      'Nodes may not be listed with these rights: whether the zones exist was not checked.',
      'Secrets may not be read with these rights: they are left out, and so are the topics if Kafka needs one.',
    ]);
    assert.ok(!found.objects.some(({ kind }) => kind === 'Secret'));
    assert.equal(found.topics.source, 'kafka');
  });
});

interface PlatformObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}

const LIMITED_RIGHTS = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: engineer, namespace: messaging }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: engineer, namespace: messaging }
rules:
  - { apiGroups: [causeway.dev], resources: [messageplatforms], verbs: [get, list, create, update, patch] }
  - { apiGroups: [''], resources: [services, configmaps, serviceaccounts], verbs: [get, list] }
  - { apiGroups: [apps], resources: [deployments, statefulsets], verbs: [get, list] }
  - { apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list] }
  - { apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: engineer, namespace: messaging }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: engineer }
subjects: [{ kind: ServiceAccount, name: engineer, namespace: messaging }]
`;

describe('the command', () => {
  const main = join(import.meta.dirname, '../main.ts');
  const causeway = async (...args: string[]): Promise<Planned> => {
    try {
      const env = { KUBECONFIG: cluster.controlPlane.kubeconfig };
      return { code: 0, ...(await run(process.execPath, [main, ...args], { env, timeoutMs: 60_000 })) };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return { code: error.exitCode ?? -1, stdout: '', stderr: error.stderr };
    }
  };

  it('exits with 2 for changes only when asked to, and with 1 for an error', async () => {
    const file = join(folder, 'orders.yaml');
    writeFileSync(file, orders().replace('replicasPerZone: 1', 'replicasPerZone: 3'));
    const flags = ['--redis-image', IMAGES.redis, '--no-kafka'];
    assert.equal((await causeway('plan', '-f', file, ...flags)).code, 0);
    assert.equal((await causeway('plan', '-f', file, '--exit-code', ...flags)).code, 2);
    const missing = await causeway('plan', '-f', join(folder, 'no.yaml'));
    assert.equal(missing.code, 1);
    assert.equal(
      missing.stderr,
      `error: ${join(folder, 'no.yaml')}: no such file or directory. -f takes a file, a directory, or - for standard input.\n`,
    );
    const context = await causeway('plan', '-f', file, '--context', 'nowhere');
    assert.equal(context.code, 1);
    assert.match(context.stderr, /^error: .*context "nowhere".*there are: test\n$/);
  });
});

describe('what the API server saw of all this', () => {
  it('is reads and dry runs only', () => {
    const writes = auditedWrites(cluster.controlPlane, 'causeway/cli');
    assert.ok(writes.length > 15, `${writes.length} writes`);
    assert.deepEqual(new Set(writes.map(({ verb }) => verb)), new Set(['create', 'update', 'patch']));
    assert.deepEqual(
      writes.filter(({ uri }) => new URL(uri, 'https://x').searchParams.get('dryRun') !== 'All'),
      [],
    );
    const others = writes.filter(({ uri }) => !/\/messageplatforms(\/[\w-]+)?\?/.test(uri));
    assert.deepEqual(others, []);
  });
});
