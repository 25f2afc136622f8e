/** Strangers look at gateways whose authority changes: a Go client, openssl and testssl.sh. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureBinary } from '../binaries/index.ts';
import { installPackages } from '../lab/index.ts';
import { gatewayPods, platformAccess, type GatewayAddress } from '../platform/index.ts';
import { run } from '../tools/index.ts';
import { Certificates } from './rotation.ts';
import { scenario } from './support.ts';

const NAME = 'strangers';
const lab = scenario('scenario-strangers', {
  async setUp(scene) {
    await scene.readyPlatform(NAME, (spec) => {
      spec.gateway.runtime = 'Bun';
      const pauses = { canaryPause: '0s', pauseBetweenZones: '0s' };
      spec.tls = { ...spec.tls, rotation: { ...spec.tls?.rotation, ...pauses } };
    });
  },
});
const own = new Certificates(lab, NAME);
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-strangers-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the platform says now that clients should trust, in a file. */
async function trust(name: string): Promise<{ file: string; servername: string; pods: GatewayAddress[] }> {
  const { ca, servername } = await platformAccess(lab.kube, lab.namespace, NAME);
  const file = join(folder, `${name}.crt`);
  writeFileSync(file, ca);
  return { file, servername, pods: await gatewayPods(lab.kube, { namespace: lab.namespace, name: NAME }) };
}

interface GoResult {
  made: number;
  resumed: number;
  failed: number;
  errors: string[];
}

/** Starts the Go client; the function that it resolves with ends it, and gives what came of it. */
async function goClient(
  { host, port }: GatewayAddress,
  { file, servername }: { file: string; servername: string },
): Promise<() => Promise<GoResult>> {
  const words = ['-connect', `${host}:${port}`, '-servername', servername, '-ca', file];
  const child = spawn(await ensureBinary('tlsclient'), words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (text: Buffer) => {
    printed += text.toString();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('close', () => resolve());
    child.once('error', reject);
  });
  return async () => {
    child.kill('SIGTERM');
    await ended;
    return JSON.parse(printed) as GoResult;
  };
}

async function openssl(
  pod: GatewayAddress,
  { file, servername }: { file: string; servername: string },
): Promise<string> {
  const to = [
    '-connect',
    `${pod.host}:${pod.port}`,
    '-servername',
    servername,
    '-verify_hostname',
    servername,
  ];
  const words = ['s_client', ...to, '-CAfile', file, '-verify_return_error'];
  return (await run('openssl', words, { input: '', timeoutMs: 20_000 })).stdout;
}

test('a Go client and openssl accept every gateway all the time, with the old authority alone and the new one alone', async () => {
  const old = await trust('old');
  const clients = await Promise.all(old.pods.map((pod) => goClient(pod, old)));
  await own.rotate('--authority');
  const results = await Promise.all(clients.map((stop) => stop()));
  for (const pod of old.pods)
    assert.match(await openssl(pod, old), /New, TLSv1\.3[\s\S]*Verify return code: 0 \(ok\)/);
  const next = await trust('new');
  assert.notEqual(readFileSync(next.file, 'utf8'), readFileSync(old.file, 'utf8'));
  for (const pod of next.pods) assert.match(await openssl(pod, next), /Verify return code: 0 \(ok\)/);
  const made = results.reduce((sum, one) => sum + one.made, 0);
  lab.progress.note(
    `${made} handshakes by Go, ${results.reduce((sum, one) => sum + one.resumed, 0)} of them resumed`,
  );
  assert.ok(made > 500);
  assert.deepEqual(
    results.flatMap(({ errors }) => errors),
    [],
  );
});

interface Finding {
  id: string;
  severity: string;
  finding: string;
}

test('testssl.sh finds nothing but TLS 1.3, and nothing of weight', async () => {
  await installPackages(['testssl.sh', 'bsdextrautils', 'dnsutils']);
  const { file, servername, pods } = await trust('testssl');
  const [pod] = pods;
  assert.ok(pod);
  const out = join(folder, 'testssl.json');
  const words = [
    '--quiet',
    '--warnings',
    'off',
    '--color',
    '0',
    '--sneaky',
    '--add-ca',
    file,
    '--ip',
    pod.host,
  ];
  // It exits with how much it found.
  await run('testssl', [...words, '--jsonfile', out, `${servername}:${pod.port}`], {
    timeoutMs: 280_000,
  }).catch(() => undefined);
  const findings = JSON.parse(readFileSync(out, 'utf8')) as Finding[];
  const offered = (id: string): string | undefined => findings.find((one) => one.id === id)?.finding;
  for (const id of ['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', 'TLS1_2'])
    assert.match(offered(id) ?? '', /not offered/, id);
  assert.match(offered('TLS1_3') ?? '', /offered/);
  const heavy = findings.filter(({ severity }) => ['HIGH', 'CRITICAL', 'FATAL'].includes(severity));
  lab.progress.note(
    `${findings.length} findings; of weight: ${heavy.map(({ id, finding }) => `${id}: ${finding}`).join('; ') || 'none'}`,
  );
  // Nobody on the Internet knows our authority, and it has no revocation list: certificates are short-lived instead.
  const expected = /^(cert_chain_of_trust|cert_revocation|cert_crlDistributionPoints|cert_ocspURL)/;
  assert.deepEqual(
    heavy.filter(({ id }) => !expected.test(id)),
    [],
  );
});
