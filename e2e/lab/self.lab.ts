/** The lab's test of itself, on the real thing. It takes down a lab that is up, and leaves none: `node --test e2e/lab/self.lab.ts`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CommandError, run, succeeds, waitFor } from '../tools/index.ts';
import { mountsBelow } from './cleanup.ts';
import { labDir, network, nodes, paths } from './config.ts';
import { getStatus, kafkaBrokers } from './index.ts';
import { kubectl, kubectlJson } from './kubectl.ts';
import { findProcesses } from './processes.ts';

const main = join(import.meta.dirname, 'main.ts');

async function lab(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [main, ...args], { timeoutMs: 400_000 });
  return stdout + stderr;
}

async function ready(node: string): Promise<boolean> {
  return (await getStatus()).nodes.some(({ name, ready: isReady }) => name === node && isReady);
}

/** Everything that a lab could leave on the machine, as words; empty when it left nothing. */
async function leftovers(): Promise<string[]> {
  const links = [network.bridge, ...nodes.map((node) => node.veth)].filter((link) =>
    existsSync(`/sys/class/net/${link}`),
  );
  const namespaces = nodes.map((node) => `/run/netns/${node.netns}`).filter((path) => existsSync(path));
  const mounts = mountsBelow(readFileSync('/proc/mounts', 'utf8'), labDir());
  const cgroups = readdirSync('/sys/fs/cgroup', { recursive: false })
    .map((name) => join('/sys/fs/cgroup', String(name), 'causeway-lab'))
    .filter((path) => existsSync(path));
  const routes = (await run('ip', ['route'])).stdout
    .split('\n')
    .filter((line) => /198\.18\.|10\.244\.|10\.96\./.test(line));
  const cni = existsSync('/var/lib/cni/results') ? readdirSync('/var/lib/cni/results') : [];
  const sockets = existsSync('/run/containerd/s') ? readdirSync('/run/containerd/s') : [];
  const files = existsSync(labDir()) ? [labDir()] : [];
  const processes = findProcesses().map(({ pid }) => `pid ${pid}`);
  return [
    ...links,
    ...namespaces,
    ...mounts,
    ...cgroups,
    ...routes,
    ...cni,
    ...sockets,
    ...files,
    ...processes,
  ];
}

before(() => lab('down'));
after(() => lab('down'));

test('up brings the lab up within 90 seconds of a warm cache, and a second up only verifies', async () => {
  await lab('build-images', 'pause', 'coredns', 'kafka', 'redis', 'etcd');
  const began = performance.now();
  await lab('up');
  const seconds = (performance.now() - began) / 1000;
  assert.ok(seconds < 90, `up took ${seconds.toFixed(0)} s`);
  const processes = JSON.stringify((await getStatus()).processes);
  assert.match(await lab('up'), /already up/);
  assert.equal(JSON.stringify((await getStatus()).processes), processes, 'the same processes, by pid');
  assert.equal((await lab('kubeconfig')).trim(), paths.kubeconfig());
});

test('a restricted pod gets a volume, keeps its data over a restart, reaches a Service by name, and is reached from the host', async () => {
  const manifest = readFileSync(join(import.meta.dirname, 'manifests', 'test-redis.yaml'), 'utf8');
  await kubectl(['apply', '-f', '-'], manifest);
  await kubectl(['-n', 'lab-test', 'rollout', 'status', 'statefulset/redis', '--timeout=60s']);
  const redis = (...words: string[]): Promise<string> =>
    kubectl(['-n', 'lab-test', 'exec', 'redis-0', '--', 'redis-cli', '-h', 'redis.lab-test', ...words]);
  await waitFor('the Service by its name', async () => (await redis('set', 'k', 'kept')).includes('OK'));
  await redis('save');
  await kubectl(['-n', 'lab-test', 'delete', 'pod', 'redis-0']);
  await kubectl(['-n', 'lab-test', 'rollout', 'status', 'statefulset/redis', '--timeout=60s']);
  assert.equal((await waitFor('Redis again', () => redis('get', 'k'))).trim(), 'kept');

  const { spec } = await kubectlJson<{ spec: { clusterIP: string } }>([
    '-n',
    'lab-test',
    'get',
    'service',
    'redis',
  ]);
  const { status } = await kubectlJson<{ status: { podIP: string } }>([
    '-n',
    'lab-test',
    'get',
    'pod',
    'redis-0',
  ]);
  for (const host of [status.podIP, spec.clusterIP]) {
    assert.ok(
      await succeeds('bash', ['-c', `exec 3<>/dev/tcp/${host}/6379; echo PING >&3; grep -q PONG <&3`], {
        timeoutMs: 5000,
      }),
      host,
    );
  }
  await kubectl(['delete', 'namespace', 'lab-test', '--timeout=60s']);
  await waitFor('the volume to go with its claim', async () => {
    const volumes = await kubectlJson<{ items: { spec: { claimRef: { namespace: string } } }[] }>([
      'get',
      'pv',
    ]);
    return volumes.items.every((volume) => volume.spec.claimRef.namespace !== 'lab-test');
  });
  assert.match(readFileSync((await getStatus()).auditLog, 'utf8'), /"verb":"delete".*"name":"lab-test"/);
});

test('a zone that is cut off goes NotReady and Kafka loses its broker; healed, both come back', async () => {
  await lab('zone', 'cut', 'zone-b');
  await waitFor('node-b to be NotReady', async () => !(await ready('node-b')), { timeoutMs: 60_000 });
  await waitFor('two brokers', async () => (await kafkaBrokers()).length === 2, { timeoutMs: 30_000 });
  await assert.rejects(lab('up'), /zone-b is cut off/);
  await lab('zone', 'heal', 'zone-b');
  await waitFor('node-b to be Ready', () => ready('node-b'), { timeoutMs: 60_000 });
  await waitFor('three brokers', async () => (await kafkaBrokers()).length === 3, { timeoutMs: 60_000 });
});

test('a zone that is killed has no process left; revived, its pods run again', async () => {
  const nodeC = nodes[2];
  assert.ok(nodeC);
  await lab('zone', 'kill', 'zone-c');
  assert.deepEqual(findProcesses(nodeC), []);
  await waitFor('node-c to be NotReady', async () => !(await ready('node-c')), { timeoutMs: 60_000 });
  await lab('zone', 'revive', 'zone-c');
  await waitFor('three brokers', async () => (await kafkaBrokers()).length === 3, { timeoutMs: 120_000 });
});

test('beside a dead leftover of itself, up starts afresh', async () => {
  const apiServer = (await getStatus()).processes.find(({ name }) => name === 'kube-apiserver');
  process.kill(apiServer?.pid ?? 0, 'SIGKILL');
  assert.match(await lab('up'), /half there \(ended: .*kube-apiserver/);
  assert.equal((await getStatus()).up, true);
});

test('with its state file lost, down still finds everything', async () => {
  rmSync(paths.state());
  await lab('down');
  assert.deepEqual(await leftovers(), []);
});

for (const mark of ['network', 'control plane', 'kubelets']) {
  test(`an up that is killed after "${mark}" leaves what down removes`, async () => {
    const child = spawn(process.execPath, [main, 'up'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let seen = '';
    child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await waitFor(`the step "${mark}"`, () => seen.includes(`✓ ${mark}`), {
      timeoutMs: 120_000,
      intervalMs: 20,
    });
    child.kill('SIGKILL');
    await ended;
    assert.notDeepEqual(await leftovers(), []);
    await lab('down');
    assert.deepEqual(await leftovers(), []);
  });
}

test('without a lab, commands that need one say how to get it', async () => {
  await assert.rejects(lab('kubeconfig'), (error: unknown) => {
    assert.ok(error instanceof CommandError);
    assert.match(error.stderr, /not up. Bring it up with/);
    return error.exitCode === 1;
  });
  await assert.rejects(
    lab('status'),
    (error: unknown) => error instanceof CommandError && error.exitCode === 3,
  );
});
