import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, webcrypto, type KeyObject } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { createSecureContext } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { checkSuppliedCertificate } from './supplied.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-23T12:00:00Z');
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const crypto = webcrypto;
const PASSPHRASE = 'correct horse';

type Algorithm = typeof ECDSA | ReturnType<typeof rsa> | { name: 'Ed25519' };

/** A certificate with its key. */
interface Made {
  pem: string;
  key: string;
  subject: string;
  signingKey: webcrypto.CryptoKey;
  algorithm: Algorithm;
}

interface Wanted {
  cn?: string;
  issuer?: Made;
  names?: string[];
  ca?: boolean;
  /** Object identifiers; undefined: no such extension. */
  extendedUsages?: string[];
  keyUsages?: number;
  algorithm?: Algorithm;
  /** Puts this key into the certificate, instead of one of `algorithm`. */
  keys?: { publicKey: KeyObject; privateKey: KeyObject };
  notBefore?: number;
  notAfter?: number;
}

function rsa(modulusLength: number, hash = 'SHA-256', name = 'RSASSA-PKCS1-v1_5') {
  return { name, modulusLength, hash, publicExponent: new Uint8Array([1, 0, 1]), saltLength: 20 };
}

let serial = 0;

/** Makes a certificate; without an issuer it is self-signed. */
async function make(wanted: Wanted): Promise<Made> {
  const {
    cn = 'rt.example.com',
    algorithm = ECDSA,
    notBefore = NOW - DAY,
    notAfter = NOW + 90 * DAY,
  } = wanted;
  const usages: ['sign', 'verify'] = ['sign', 'verify'];
  const own = (await crypto.subtle.generateKey(algorithm, true, usages)) as webcrypto.CryptoKeyPair;
  const subject = `CN=${cn}, O=Example`;
  const self = { subject, signingKey: own.privateKey, algorithm };
  const issuer = wanted.issuer ?? self;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: String((serial += 1)).padStart(4, '0'),
      subject,
      issuer: issuer.subject,
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter),
      publicKey: wanted.keys?.publicKey.export({ type: 'spki', format: 'der' }) ?? own.publicKey,
      signingKey: issuer.signingKey,
      signingAlgorithm: issuer.algorithm,
      extensions: extensionsOf(wanted),
    },
    crypto,
  );
  const given = wanted.keys?.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const pem = `${certificate.toString('pem').trim()}\n`;
  return { ...self, pem, key: given ?? (await exportKey(own.privateKey)) };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await crypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag).trim()}\n`;
}

function extensionsOf({ names = [], extendedUsages, keyUsages, ca = false }: Wanted): x509.Extension[] {
  const dns = names.map((value) => ({ type: /^\d/.test(value) ? ('ip' as const) : ('dns' as const), value }));
  return [
    new x509.BasicConstraintsExtension(ca, undefined, true),
    ...(keyUsages === undefined ? [] : [new x509.KeyUsagesExtension(keyUsages, true)]),
    ...(extendedUsages === undefined ? [] : [new x509.ExtendedKeyUsageExtension(extendedUsages)]),
    ...(dns.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(dns)]),
  ];
}

const SERVER = [x509.ExtendedKeyUsage.serverAuth];
const CLIENT = [x509.ExtendedKeyUsage.clientAuth];
const NAMES = ['rt.example.com'];

/** A public authority with an intermediate, and a leaf that everybody accepts. */
interface World {
  root: Made;
  intermediate: Made;
  leaf: Made;
  other: Made;
}
let world: World;

async function leafOf(wanted: Wanted = {}, issuer = world.intermediate): Promise<Made> {
  return make({ names: NAMES, extendedUsages: SERVER, issuer, ...wanted });
}

before(async () => {
  const root = await make({ cn: 'root', ca: true });
  const intermediate = await make({ cn: 'intermediate', ca: true, issuer: root });
  const leaf = await make({ names: NAMES, extendedUsages: SERVER, issuer: intermediate });
  world = { root, intermediate, leaf, other: await make({ cn: 'other', names: NAMES }) };
});

function pair(chain: Made[], key = chain[0]?.key ?? ''): Record<string, string> {
  return { 'tls.crt': chain.map(({ pem }) => pem).join(''), 'tls.key': key };
}

interface Case {
  what: string;
  data: () => Promise<Record<string, string>> | Record<string, string>;
  names?: string[];
  /** Parts that the message must have. */
  says?: string[];
  reason?: string;
}

/** Fails when an answer has a line of a PEM body of what was supplied. */
function assertNoContent(message: string, data: Record<string, string>): void {
  assert.doesNotMatch(message, /-----|[A-Za-z0-9+/]{40}/);
  for (const line of Object.values(data).flatMap((text) => text.split(/\s+/))) {
    if (/^[A-Za-z0-9+/=]{16,}$/.test(line)) assert.ok(!message.includes(line), 'quotes the Secret');
  }
}

const GOOD: Case[] = [
  { what: 'a leaf only', data: () => pair([world.leaf]) },
  { what: 'a leaf and its intermediate', data: () => pair([world.leaf, world.intermediate]) },
  {
    what: 'a leaf, its intermediate and the root',
    data: () => pair([world.leaf, world.intermediate, world.root]),
  },
  { what: 'RSA of 2048 bits', data: async () => pair([await leafOf({ algorithm: rsa(2048) })]) },
  { what: 'ECDSA on P-384', data: async () => pair([await leafOf({ algorithm: ecdsa('P-384') })]) },
  { what: 'ECDSA on P-521', data: async () => pair([await leafOf({ algorithm: ecdsa('P-521') })]) },
  { what: 'Ed25519', data: async () => pair([await leafOf({ algorithm: { name: 'Ed25519' } })]) },
  { what: 'a self-signed leaf', data: async () => pair([await make({ names: NAMES })]) },
  {
    what: 'a wildcard',
    names: ['rt.example.com', '*.example.com', 'localhost'],
    data: async () => pair([await leafOf({ names: ['*.EXAMPLE.com', 'localhost'] })]),
  },
  {
    what: 'an address',
    names: ['192.0.2.1'],
    data: async () => pair([await leafOf({ names: ['192.0.2.1'] })]),
  },
  {
    what: 'no name at all, when none is asked for',
    names: [],
    data: async () => pair([await leafOf({ names: [] })]),
  },
  {
    what: 'a certificate with key usages for TLS 1.3',
    data: async () => pair([await leafOf({ keyUsages: x509.KeyUsageFlags.digitalSignature })]),
  },
  {
    what: 'a root with a SHA-1 signature that has ended, after the leaf',
    data: async () => {
      const root = await make({
        cn: 'old root',
        ca: true,
        algorithm: rsa(2048, 'SHA-1'),
        notBefore: NOW - 9 * DAY,
        notAfter: NOW - DAY,
      });
      // The root signs others with a better hash.
      const signer = { ...root, algorithm: rsa(2048), signingKey: await withHash(root.key, 'SHA-256') };
      return pair([await leafOf({}, signer), root]);
    },
  },
  {
    what: 'text around the blocks, Windows line ends',
    data: () => {
      const data = pair([world.leaf, world.intermediate]);
      return { ...data, 'tls.crt': `subject=x\n${data['tls.crt']}\nend\n`.replaceAll('\n', '\r\n') };
    },
  },
  {
    what: 'the SEC 1 form of a key, after its parameters',
    data: () => {
      const sec1 = createPrivateKey(world.leaf.key).export({ type: 'sec1', format: 'pem' });
      const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
      return pair([world.leaf], parameters + sec1);
    },
  },
  {
    what: 'a certificate that begins within the tolerance for clocks',
    data: async () => pair([await leafOf({ notBefore: NOW + 240_000 })]),
  },
];

function ecdsa(namedCurve: string): typeof ECDSA {
  return { ...ECDSA, namedCurve };
}

async function withHash(key: string, hash: string): Promise<webcrypto.CryptoKey> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash };
  const der = x509.PemConverter.decodeFirst(key);
  return crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
}

function encrypted(key: string, type: 'pkcs8' | 'sec1'): string {
  return createPrivateKey(key).export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE });
}

const UNREADABLE: Case[] = [
  { what: 'no tls.crt', data: () => ({ 'tls.key': world.leaf.key }), says: ['tls.crt is missing'] },
  {
    what: 'an empty tls.crt',
    data: () => ({ ...pair([world.leaf]), 'tls.crt': '\n' }),
    says: ['tls.crt is missing'],
  },
  {
    what: 'DER in tls.crt',
    data: () => {
      const der = Buffer.from(x509.PemConverter.decodeFirst(world.leaf.pem)).toString('latin1');
      return { ...pair([world.leaf]), 'tls.crt': der };
    },
    says: ['tls.crt is no PEM', 'convert'],
  },
  {
    what: 'a private key in tls.crt',
    data: () => ({ ...pair([world.leaf]), 'tls.crt': world.leaf.key }),
    says: ['a private key as PEM block 1', 'tls.key only'],
  },
  {
    what: 'a private key after the certificate in tls.crt',
    data: () => ({ ...pair([world.leaf]), 'tls.crt': world.leaf.pem + world.leaf.key }),
    says: ['a private key as PEM block 2'],
  },
  {
    what: 'a certificate request in tls.crt',
    data: () => relabelled('CERTIFICATE REQUEST'),
    says: ['a certificate request as PEM block 1'],
  },
  {
    what: 'a block of an unknown kind in tls.crt, whose label is not quoted',
    data: () => relabelled('HUNTER2'),
    says: ['an unknown kind'],
  },
  {
    what: 'certificates joined without a line end',
    data: () => ({
      ...pair([world.leaf]),
      'tls.crt': world.leaf.pem.trim() + world.intermediate.pem,
    }),
    says: ['not whole', 'a line of its own'],
  },
  {
    what: 'a certificate without its end',
    data: () => ({ ...pair([world.leaf]), 'tls.crt': world.leaf.pem.slice(0, -40) }),
    says: ['not whole'],
  },
  {
    what: 'a certificate with a damaged middle',
    data: () => {
      const text = world.intermediate.pem.replace(/\n.{8}/, '\nAAAAAAAA');
      return { ...pair([world.leaf]), 'tls.crt': world.leaf.pem + text };
    },
    says: ['PEM block 2', 'cannot be decoded'],
  },
].map((each) => ({ ...each, reason: 'CertificateInvalid' }));

function relabelled(label: string): Record<string, string> {
  return { ...pair([world.leaf]), 'tls.crt': world.leaf.pem.replaceAll(' CERTIFICATE', ` ${label}`) };
}

const KEYS: Case[] = [
  { what: 'no tls.key', data: () => ({ 'tls.crt': world.leaf.pem }), says: ['tls.key is missing'] },
  { what: 'text in tls.key', data: () => pair([world.leaf], 'hunter2'), says: ['tls.key is no whole PEM'] },
  {
    what: 'half of a key',
    data: () => pair([world.leaf], world.leaf.key.slice(0, 120)),
    says: ['tls.key is no whole PEM'],
  },
  {
    what: 'an encrypted PKCS #8 key',
    data: () => pair([world.leaf], encrypted(world.leaf.key, 'pkcs8')),
    says: ['encrypted key cannot be used', 'decrypt'],
  },
  {
    what: 'an encrypted SEC 1 key',
    data: () => pair([world.leaf], encrypted(world.leaf.key, 'sec1')),
    says: ['encrypted key cannot be used'],
  },
  {
    what: 'a certificate in tls.key',
    data: () => pair([world.leaf], world.leaf.pem),
    says: ['tls.key has a certificate, and no private key'],
  },
  {
    what: 'a key that is damaged',
    data: () => pair([world.leaf], world.leaf.key.replace(/\n.{8}/, '\nAAAAAAAA')),
    says: ['cannot be decoded'],
  },
  {
    what: 'the key of another certificate',
    data: () => pair([world.leaf, world.intermediate], world.other.key),
    says: ['not the private key of certificate 1 of 2 in tls.crt (CN=rt.example.com, O=Example)'],
  },
  {
    what: 'the key of the authority',
    data: () => pair([world.leaf, world.intermediate], world.intermediate.key),
    says: ['but of the authority, certificate 2 of 2 in tls.crt (CN=intermediate'],
  },
].map((each) => ({ ...each, reason: 'KeyMismatch' }));

const CHAINS: Case[] = [
  {
    what: 'the leaf after its issuer',
    reason: 'ChainOutOfOrder',
    data: () => pair([world.intermediate, world.leaf], world.leaf.key),
    says: ['not the key of the first certificate but of certificate 2 of 2', 'first'],
  },
  {
    what: 'the root before the intermediate',
    reason: 'ChainOutOfOrder',
    data: () => pair([world.leaf, world.root, world.intermediate]),
    says: ['certificate 1 of 3', 'order 1, 3, 2'],
  },
  {
    what: 'a missing intermediate',
    reason: 'ChainBroken',
    data: () => pair([world.leaf, world.root]),
    says: ['certificate 1 of 2 in tls.crt (CN=rt.example.com', 'not signed by certificate 2 of 2', 'CN=root'],
  },
  {
    what: 'a certificate that does not belong to the chain at its end',
    reason: 'ChainBroken',
    data: () => pair([world.leaf, world.intermediate, world.other]),
    says: ['certificate 2 of 3', 'not signed by certificate 3 of 3', 'CN=other'],
  },
  {
    what: 'something after the root',
    reason: 'ChainBroken',
    data: () => pair([world.leaf, world.intermediate, world.root, world.other]),
    says: ['certificate 3 of 4', 'self-signed, so nothing may follow'],
  },
  {
    what: 'an authority of the same name with another key',
    reason: 'ChainBroken',
    data: async () => pair([world.leaf, await make({ cn: 'intermediate', ca: true, issuer: world.root })]),
    says: ['certificate 1 of 2', 'not signed by certificate 2 of 2'],
  },
  {
    what: 'an issuer that is no CA',
    reason: 'ChainBroken',
    data: async () => pair([await leafOf({}, world.other), world.other]),
    says: ['is signed by certificate 2 of 2', 'no CA certificate'],
  },
  {
    what: 'the leaf twice',
    reason: 'ChainBroken',
    data: () => pair([world.leaf, world.leaf, world.intermediate]),
    says: ['certificate 2 of 3', 'certificate 1 once more', 'remove'],
  },
];

const USAGES: Case[] = [
  { what: 'a CA as the leaf', data: () => pair([world.intermediate, world.root]), says: ['is a CA'] },
  {
    what: 'a certificate for clients',
    data: async () => pair([await leafOf({ extendedUsages: CLIENT })]),
    says: ['certificate 1 of 1', 'without serverAuth'],
  },
  {
    what: 'a certificate whose key may not sign',
    data: async () => pair([await leafOf({ keyUsages: x509.KeyUsageFlags.keyEncipherment })]),
    says: ['without digitalSignature'],
  },
].map((each) => ({ ...each, reason: 'WrongUsage' }));

const STRENGTHS: Case[] = [
  {
    what: 'RSA of 1024 bits',
    reason: 'WeakKey',
    data: async () => pair([await leafOf({ algorithm: rsa(1024) })]),
    says: ['certificate 1 of 1', 'an RSA key of 1024 bits', '2048'],
  },
  {
    what: 'an intermediate with RSA of 1024 bits',
    reason: 'WeakKey',
    data: async () => {
      const issuer = await make({ cn: 'weak', ca: true, issuer: world.root, algorithm: rsa(1024) });
      return pair([await leafOf({}, issuer), issuer]);
    },
    says: ['certificate 2 of 2 in tls.crt (CN=weak', '1024 bits'],
  },
  {
    what: 'a curve of another kind',
    reason: 'WeakKey',
    data: async () => pair([await leafOf({ keys: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) })]),
    says: ['curve secp256k1', 'P-256'],
  },
  {
    what: 'a key that only agrees on keys',
    reason: 'WeakKey',
    data: async () => pair([await leafOf({ keys: generateKeyPairSync('x25519') })]),
    says: ['cannot sign'],
  },
  {
    what: 'SHA-1',
    reason: 'WeakSignature',
    data: async () => pair([await leafOf({}, await make({ ca: true, algorithm: rsa(2048, 'SHA-1') }))]),
    says: ['certificate 1 of 1', 'signed with SHA-1', 'SHA-256'],
  },
  {
    what: 'SHA-1 with ECDSA',
    reason: 'WeakSignature',
    data: async () => pair([await leafOf({}, { ...world.root, algorithm: { ...ECDSA, hash: 'SHA-1' } })]),
    says: ['signed with SHA-1'],
  },
  {
    what: 'SHA-1 with RSASSA-PSS',
    reason: 'WeakSignature',
    data: async () => {
      const issuer = await make({ cn: 'pss', ca: true, algorithm: rsa(2048, 'SHA-1', 'RSA-PSS') });
      return pair([await leafOf({}, issuer)]);
    },
    says: ['signed with SHA-1'],
  },
  {
    what: 'MD5',
    reason: 'WeakSignature',
    data: async () => {
      const issuer = await make({ ca: true, algorithm: rsa(2048, 'SHA-1') });
      const leaf = await leafOf({}, issuer);
      return pair([{ ...leaf, pem: sayMd5(leaf.pem) }]);
    },
    says: ['signed with MD5'],
  },
  {
    what: 'an intermediate that is signed with SHA-1',
    reason: 'WeakSignature',
    data: async () => {
      const root = await make({ cn: 'root', ca: true, algorithm: rsa(2048, 'SHA-1') });
      const issuer = await make({ cn: 'middle', ca: true, issuer: root });
      return pair([await leafOf({}, issuer), issuer, root]);
    },
    says: ['certificate 2 of 3 in tls.crt (CN=middle', 'signed with SHA-1'],
  },
];

/** WebCrypto signs nothing with MD5: this puts its identifier in place of SHA-1's. The signature is then wrong. */
function sayMd5(pem: string): string {
  const sha1 = Buffer.from('2a864886f70d010105', 'hex').toString('latin1');
  const md5 = Buffer.from('2a864886f70d010104', 'hex').toString('latin1');
  const der = Buffer.from(x509.PemConverter.decodeFirst(pem)).toString('latin1').replaceAll(sha1, md5);
  return `${x509.PemConverter.encode(Buffer.from(der, 'latin1'), 'CERTIFICATE')}\n`;
}

const TIMES: Case[] = [
  {
    what: 'a leaf that has ended',
    reason: 'CertificateExpired',
    data: async () => pair([await leafOf({ notAfter: NOW }), world.intermediate]),
    says: ['certificate 1 of 2', '2026-11-23T12:00:00.000Z', 'renew'],
  },
  {
    what: 'an intermediate that has ended',
    reason: 'CertificateExpired',
    data: async () => {
      const issuer = await make({ cn: 'old', ca: true, issuer: world.root, notAfter: NOW - 1000 });
      return pair([await leafOf({}, issuer), issuer, world.root]);
    },
    says: ['certificate 2 of 3 in tls.crt (CN=old'],
  },
  {
    what: 'a leaf that begins later',
    reason: 'CertificateNotYetValid',
    data: async () => pair([await leafOf({ notBefore: NOW + 360_000 })]),
    says: ['certificate 1 of 1', '2026-11-23T12:06:00.000Z', 'clock'],
  },
  {
    what: 'an intermediate that begins later',
    reason: 'CertificateNotYetValid',
    data: async () => {
      const issuer = await make({ cn: 'new', ca: true, issuer: world.root, notBefore: NOW + DAY });
      return pair([await leafOf({}, issuer), issuer]);
    },
    says: ['certificate 2 of 2 in tls.crt (CN=new'],
  },
];

const MISSING: Case[] = [
  {
    what: 'a name that is not in the certificate',
    names: ['rt.example.com', 'eu.example.com', '*.example.com'],
    data: () => pair([world.leaf]),
    says: ['lacks eu.example.com, *.example.com in', 'spec.tls.dnsNames'],
  },
  {
    what: 'a name that only the common name has',
    names: ['rt.example.com'],
    data: async () => pair([await leafOf({ names: [] })]),
    says: ['lacks rt.example.com in'],
  },
  {
    what: 'a name two labels below a wildcard, and the one above it',
    names: ['a.b.example.com', 'example.com', 'ok.example.com'],
    data: async () => pair([await leafOf({ names: ['*.example.com'] })]),
    says: ['lacks a.b.example.com, example.com in'],
  },
  {
    what: 'a wildcard for a part of a label',
    names: ['rt1.example.com'],
    data: async () => pair([await leafOf({ names: ['rt*.example.com'] })]),
    says: ['lacks rt1.example.com in'],
  },
  {
    what: 'more names than a reader wants',
    names: Array.from({ length: 12 }, (_, index) => `n${index}.example.com`),
    data: () => pair([world.leaf]),
    says: ['n9.example.com and 2 more in'],
  },
].map((each) => ({ ...each, reason: 'NamesMissing' }));

describe('a supplied certificate is accepted:', () => {
  for (const { what, data, names = NAMES } of GOOD) {
    it(what, async () => {
      const secret = await data();
      assert.equal(checkSuppliedCertificate(secret, NOW, { requiredNames: names }), undefined);
      // A TLS server takes it too.
      createSecureContext({ cert: secret['tls.crt'] ?? '', key: secret['tls.key'] ?? '' });
    });
  }
});

describe('a supplied certificate is refused:', () => {
  for (const each of [...UNREADABLE, ...KEYS, ...CHAINS, ...USAGES, ...STRENGTHS, ...TIMES, ...MISSING]) {
    it(`${each.what} (${each.reason})`, async () => {
      const data = await each.data();
      const fault = checkSuppliedCertificate(data, NOW, { requiredNames: each.names ?? [] });
      assert.equal(fault?.reason, each.reason, fault?.message ?? 'it was accepted');
      for (const part of each.says ?? [])
        assert.ok(fault?.message.includes(part), `${fault?.message} says ${part}`);
      assertNoContent(fault?.message ?? '', data);
      assert.doesNotMatch(fault?.message ?? '', /hunter2/i);
    });
  }
});

describe('the check of a supplied certificate', () => {
  it('asks the clock each time', () => {
    const data = pair([world.leaf, world.intermediate]);
    assert.equal(checkSuppliedCertificate(data, NOW), undefined);
    assert.equal(checkSuppliedCertificate(data, NOW + 91 * DAY)?.reason, 'CertificateExpired');
    assert.equal(checkSuppliedCertificate(data, NOW - 2 * DAY)?.reason, 'CertificateNotYetValid');
    assert.equal(checkSuppliedCertificate(data, NOW), undefined);
  });

  it('is quick with a Secret that is full of nonsense', () => {
    const text = '-----BEGIN A-----\n'.repeat(58_000);
    const start = performance.now();
    assert.equal(checkSuppliedCertificate({ 'tls.crt': text }, NOW)?.reason, 'CertificateInvalid');
    assert.ok(performance.now() - start < 10_000, 'reading takes time in proportion');
  });
});
