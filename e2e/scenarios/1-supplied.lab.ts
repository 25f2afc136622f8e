/** A certificate that somebody else writes (tls.issuer.secretRef), as cert-manager would: a new one rolls out, a broken one is refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { createTestPki, type TestPki } from '../harness/index.ts';
import { gatewayPods } from '../platform/index.ts';
import { handshake, Handshakes, inspectLeaf } from './handshakes.ts';
import { Certificates } from './rotation.ts';
import { eventually, scenario } from './support.ts';

const NAME = 'supplied';
const NAMESPACE = 'scenario-supplied';
const SECRET = 'from-cert-manager';
const PUBLIC_NAME = 'chat.example.com';
/** Clients of tests connect by this name too. */
const SERVICE_NAME = `${NAME}-gateway.${NAMESPACE}.svc`;

let pki: TestPki | undefined;
const lab = scenario(NAMESPACE, {
  async setUp(scene) {
    pki = await createTestPki();
    await supply(await issue());
    await scene.readyPlatform(NAME, (spec) => {
      const pauses = { canaryPause: '0s', pauseBetweenZones: '0s' };
      const issuer = { secretRef: { name: SECRET } };
      const rotation = { ...spec.tls?.rotation, ...pauses };
      spec.tls = { ...spec.tls, issuer, dnsNames: [PUBLIC_NAME], rotation };
    });
  },
});
const own = new Certificates(lab, NAME);

after(() => pki?.remove());

interface Pair {
  cert: string;
  key: string;
}

async function issue(...names: string[]): Promise<Pair> {
  if (pki === undefined) throw new Error('the authority is not there yet: use it inside a test');
  const { certFile, keyFile } = await pki.issue(
    'supplied',
    names.length > 0 ? names : [PUBLIC_NAME, SERVICE_NAME],
  );
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

function authority(): string {
  return readFileSync(pki?.caFile ?? '', 'utf8');
}

/** Writes the Secret, as its owner does. */
async function supply({ cert, key }: Pair): Promise<void> {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: SECRET, namespace: NAMESPACE },
    stringData: { 'tls.crt': cert, 'tls.key': key },
  };
  await lab.kube.kubectl(['apply', '-f', '-'], { input: JSON.stringify(secret) });
}

/** What clients of the public name are shown, by all gateways. */
async function shown(): Promise<string[]> {
  const pods = await gatewayPods(lab.kube, { namespace: NAMESPACE, name: NAME });
  const access = { ca: authority(), servername: PUBLIC_NAME };
  return [...new Set(await Promise.all(pods.map((pod) => handshake(access, pod))))];
}

/** Reason and message of CertificatesReady. */
async function verdict(): Promise<string> {
  const path =
    'jsonpath={range .status.conditions[?(@.type=="CertificatesReady")]}{.status} {.reason}: {.message}{end}';
  return lab.kubectl('get', 'mp', NAME, '-o', path);
}

test('a new certificate in the Secret rolls out by itself, and no handshake fails', async () => {
  const next = await issue();
  const running = await own.processes();
  const handshakes = await Handshakes.start(lab, NAME, authority());
  try {
    await supply(next);
    await eventually('it has rolled out', async () => {
      const { rotation, lastRotation } = await own.status();
      return rotation === undefined && lastRotation?.result === 'Completed';
    });
  } finally {
    await handshakes.stop();
  }
  assert.equal((await own.status()).lastRotation?.reason, 'SuppliedChanged');
  assert.deepEqual(await shown(), [inspectLeaf(next.cert)]);
  assert.ok(handshakes.made > 100, `${handshakes.made} handshakes`);
  assert.deepEqual(handshakes.failures, []);
  assert.deepEqual(await own.processes(), running);
});

test('a broken one is refused with what is wrong, and the one of before stays', async () => {
  const [before] = await shown();
  const good = await issue();
  const broken: [Pair, RegExp][] = [
    [{ ...(await issue()), key: good.key }, /^False KeyMismatch: .*its tls\.key is not the private key of/],
    [await issue('elsewhere.example.com'), /^False NamesMissing: .*lacks chat\.example\.com/],
    [
      { ...good, cert: `${authority()}${good.cert}` },
      /^False ChainOutOfOrder: .*put that one, the leaf, first/,
    ],
  ];
  for (const [pair, said] of broken) {
    await supply(pair);
    await eventually(`it says ${String(said)}`, async () => said.test(await verdict()));
    assert.deepEqual(await shown(), [before]);
    assert.equal((await own.status()).rotation, undefined);
  }
  await supply(good);
  await eventually('the good one is served by all', async () => {
    const now = await shown();
    return now.length === 1 && now[0] === inspectLeaf(good.cert);
  });
  await lab.waitReady(NAME);
});
