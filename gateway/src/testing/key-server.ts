/** An identity provider's key set behind a URL, and tokens that it would make. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import type { TestPki } from '../../../e2e/harness/index.ts';

/** A key that tokens are signed with, and its public half as a key set has it. */
export interface KeyPair {
  privateKey: CryptoKey;
  jwk: JWK;
}

export interface KeyServer {
  readonly url: string;
  /** What is answered from now on. */
  answer: { status: number; body: string };
  /** How often it was asked. */
  asked: number;
  /** Answers with these keys. */
  publish(...pairs: KeyPair[]): void;
  stop(): void;
}

export async function startKeyServer(pki: TestPki): Promise<KeyServer> {
  const { certFile, keyFile } = await pki.issue('identity provider', ['localhost']);
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (_, response) => {
    keys.asked += 1;
    response.writeHead(keys.answer.status, { location: `${keys.url}/elsewhere` }).end(keys.answer.body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const keys: KeyServer = {
    url: `https://localhost:${(server.address() as AddressInfo).port}/keys`,
    answer: { status: 404, body: '' },
    asked: 0,
    publish: (...pairs) => {
      keys.answer = { status: 200, body: JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) }) };
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return keys;
}

export async function keyPair(kid: string, alg = 'ES256'): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid } };
}

/** A token for ann. */
export function signedWith({ privateKey, jwk: { alg = '', kid = '' } }: KeyPair): Promise<string> {
  return new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg, kid }).sign(privateKey);
}
