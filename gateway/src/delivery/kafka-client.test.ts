import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createServer, type Server } from 'node:tls';
import { createTestPki, type TestPki } from '../../../e2e/harness/index.ts';
import { mountSecret, type MountedSecret } from '../testing/mounted-secret.ts';
import { loginWith, socketsWith } from './kafka-client.ts';

describe('connections to Kafka', () => {
  let pki: TestPki;
  let server: Server;
  let mounted: MountedSecret;
  /** Common names of the clients that the server has seen. */
  const seen: (string | undefined)[] = [];

  const pair = async (name: string): Promise<Record<string, Buffer>> => {
    const { certFile, keyFile } = await pki.issue(name, ['localhost']);
    return {
      'ca.crt': readFileSync(pki.caFile),
      'tls.crt': readFileSync(certFile),
      'tls.key': readFileSync(keyFile),
    };
  };

  before(async () => {
    pki = await createTestPki();
    const own = await pair('broker');
    const options = { ca: own['ca.crt'], cert: own['tls.crt'], key: own['tls.key'] };
    server = createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (socket) => {
      const name = socket.getPeerCertificate().subject.CN;
      seen.push(Array.isArray(name) ? name[0] : name);
      socket.end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, 'localhost', resolve);
    });
    mounted = mountSecret(await pair('first'));
  });
  after(() => {
    server.close();
    mounted.remove();
    pki.remove();
  });

  const connectOnce = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const socket: Socket = socketsWith(mounted.dir)({
        host: 'localhost',
        port,
        ssl: {},
        onConnect: () => socket.resume(),
      });
      socket.once('close', () => resolve());
      socket.once('error', reject);
    });

  it('each take the certificate that the mounted files have then', async () => {
    await connectOnce();
    mounted.write(await pair('second'));
    await connectOnce();
    assert.deepEqual(seen, ['first', 'second']);
  });

  it('end with their client, which makes no more', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const over = new AbortController();
    const { port } = silent.address() as AddressInfo;
    const sockets = socketsWith(undefined, { over: over.signal });
    const open = (onConnect: () => void): Socket =>
      sockets({ host: '127.0.0.1', port, ssl: undefined as unknown as object, onConnect });
    try {
      const socket = await new Promise<Socket>((resolve) => {
        const made = open(() => resolve(made));
      });
      const ended = once(socket, 'error');
      over.abort();
      assert.match(String(await ended), /this client is over/);
      assert.throws(() => open(() => undefined), /this client is over/);
    } finally {
      silent.close();
    }
  });

  it('are let go of as often as kafkajs likes', async () => {
    const socket: Socket = socketsWith(undefined)({
      host: 'localhost',
      port: 9,
      ssl: undefined as unknown as object,
      onConnect: () => undefined,
    });
    socket.on('error', () => undefined);
    socket.destroy();
    const listeners = socket.listenerCount('connect');
    for (let i = 0; i < 12; i += 1) socket.unref();
    assert.equal(socket.listenerCount('connect'), listeners);
  });

  it('each log in with what the mounted files say then', () => {
    const secret = mountSecret({ username: 'ann\n', password: 'one' });
    try {
      const login = loginWith({ mechanism: 'SCRAM-SHA-256', dir: secret.dir });
      const now = (): object => ({ ...login });
      assert.deepEqual(now(), { mechanism: 'scram-sha-256', username: 'ann', password: 'one' });
      secret.write({ username: 'ben', password: 'two' });
      assert.deepEqual(now(), { mechanism: 'scram-sha-256', username: 'ben', password: 'two' });
    } finally {
      secret.remove();
    }
    assert.equal(loginWith(undefined), undefined);
  });
});
