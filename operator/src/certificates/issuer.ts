// The X.509 library's container needs this polyfill loaded before it.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, PEM (PKCS #8). */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

/** What a leaf certificate is for. Times in milliseconds since the epoch. */
export interface LeafRequest {
  commonName: string;
  dnsNames: readonly string[];
  usages: readonly ('server' | 'client')[];
  notBefore: number;
  notAfter: number;
}

/** Makes keys and certificates. The simulator has one of its own, so that runs repeat. */
export interface CertificateIssuer {
  /** A self-signed authority (ECDSA P-256). */
  authority(request: { commonName: string; notBefore: number; notAfter: number }): Promise<KeyPair>;
  /**
   * Certificate (PEM) of `subject`'s name and key, signed by `authority`: whoever trusts that one trusts what `subject`
   * signs (RFC 4949, cross-certification).
   */
  cross(subject: KeyPair, authority: KeyPair): Promise<string>;
  /** A leaf (ECDSA P-256) signed by `authority`. */
  leaf(request: LeafRequest, authority: KeyPair): Promise<KeyPair>;
  /** 48 random bytes as Latin-1 text: a TLS session-ticket key. */
  ticketKey(): string;
}

const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const crypto = webcrypto;

/** Issues real certificates (RFC 5280), with WebCrypto. */
export const x509Issuer: CertificateIssuer = {
  async authority({ commonName, notBefore, notAfter }) {
    const keys = await crypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: serialNumber(),
        name: [{ CN: [commonName] }],
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
        keys,
        signingAlgorithm: ECDSA_P256,
        extensions: [
          ...authorityExtensions(),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
        ],
      },
      crypto,
    );
    return { certificate: pem(certificate), privateKey: await privateKeyPem(keys.privateKey) };
  },

  async cross(subject, authority) {
    const of = new x509.X509Certificate(subject.certificate);
    const by = new x509.X509Certificate(authority.certificate);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: of.subject,
        issuer: by.subject,
        notBefore: of.notBefore,
        notAfter: new Date(Math.min(of.notAfter.getTime(), by.notAfter.getTime())),
        publicKey: of.publicKey,
        signingKey: await importPrivateKey(authority.privateKey),
        signingAlgorithm: ECDSA_P256,
        extensions: [
          ...authorityExtensions(),
          await x509.SubjectKeyIdentifierExtension.create(of.publicKey, false, crypto),
          await x509.AuthorityKeyIdentifierExtension.create(by.publicKey, false, crypto),
        ],
      },
      crypto,
    );
    return pem(certificate);
  },

  async leaf(request, authority) {
    const keys = await crypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
    const issuer = new x509.X509Certificate(authority.certificate);
    const extendedKeyUsages = request.usages.map((usage) =>
      usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
    );
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: [{ CN: [request.commonName] }],
        issuer: issuer.subject,
        notBefore: new Date(request.notBefore),
        notAfter: new Date(request.notAfter),
        publicKey: keys.publicKey,
        signingKey: await importPrivateKey(authority.privateKey),
        signingAlgorithm: ECDSA_P256,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension(extendedKeyUsages),
          ...subjectAltNames(request.dnsNames),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
          await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
        ],
      },
      crypto,
    );
    return { certificate: pem(certificate), privateKey: await privateKeyPem(keys.privateKey) };
  },

  ticketKey: () => randomBytes(48).toString('latin1'),
};

/** No path length: an authority that is cross-signed stands between the one that signed it and a leaf. */
function authorityExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ];
}

function subjectAltNames(names: readonly string[]): x509.Extension[] {
  if (names.length === 0) return [];
  return [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))];
}

/** 127 random bits, positive (RFC 5280, 4.1.2.2 asks for at most 20 octets; CA/B for at least 64 random bits). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('hex');
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  const der = await crypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag).trim()}\n`;
}

async function importPrivateKey(text: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(text), ECDSA_P256, false, ['sign']);
}
