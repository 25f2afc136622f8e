/** Three gateways on loopback, of each kind that is compared. All have TLS 1.3 with the same certificate authority. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { HMAC, startGateway, type Backends, type Runtime } from '../../../gateway/src/testing/index.ts';
import { ensureBinary } from '../../binaries/index.ts';
import { createServer } from '../../harness/server.ts';
import { removeFolder, temporaryFolder } from '../../harness/supervise.ts';
import { freePort } from '../../tools/index.ts';
import { usageOf } from '../common/process-usage.ts';
import type { Door } from './load.ts';

/** The zones that the three gateways play. */
const ZONES = ['zone-a', 'zone-b', 'zone-c'] as const;

/** Running gateways. */
export interface Contestant {
  name: string;
  doors: Door[];
  /** Over the three processes: CPU seconds so far, resident MiB now. */
  usage(): { cpuSeconds: number; rssMiB: number };
  stop(): Promise<void>;
}

function token(key: Uint8Array): Promise<string> {
  // The tier is for our own limits; the library has none.
  return new SignJWT({ tier: 'vip' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('bench')
    .setExpirationTime('2h')
    .sign(key);
}

function usageOfAll(pids: readonly number[]): { cpuSeconds: number; rssMiB: number } {
  const all = pids.map(usageOf);
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    rssMiB: all.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
  };
}

/** Our gateway, with a Kafka topic of its own. */
export async function causeway(backends: Backends, runtime: Runtime): Promise<Contestant> {
  const platform = await backends.platform();
  const gateways = await Promise.all(ZONES.map(() => startGateway({ runtime, platform })));
  const ca = readFileSync(platform.pki.caFile);
  const ticket = await token(HMAC);
  return {
    name: `causeway on ${runtime === 'bun' ? 'Bun' : 'Node'}`,
    doors: ZONES.map((zone, index) => ({
      zone,
      access: { url: gateways[index]?.url ?? '', ca, token: ticket },
    })),
    usage: () => usageOfAll(gateways.map(({ pid }) => pid)),
    stop: async () => {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    },
  };
}

/** The Centrifuge library for Go with its Redis broker. It has no Kafka: Redis alone holds what it acknowledges. */
export async function centrifuge(backends: Backends): Promise<Contestant> {
  const command = await ensureBinary('centrifuge');
  const { certFile, keyFile } = await backends.pki.issue('centrifuge', ['localhost', '127.0.0.1']);
  const ca = readFileSync(backends.pki.caFile);
  const secret = randomBytes(32).toString('hex');
  const folder = temporaryFolder('centrifuge');
  const redis = backends.redis.url.replace('redis://', '');
  const servers = await Promise.all(
    ZONES.map(async (zone) => {
      const port = await freePort();
      const address = `127.0.0.1:${port}`;
      const args = ['-listen', address, '-redis', redis, '-cert', certFile, '-key', keyFile];
      const logFile = join(folder, `${zone}.log`);
      const env = { TOKEN_SECRET: secret };
      const server = createServer({
        command: { name: `centrifuge in ${zone}`, command, args, cwd: folder, logFile, env },
        ready: () => answers(port, ca),
      });
      await server.start();
      return { zone, port, server };
    }),
  );
  const ticket = await token(Buffer.from(secret));
  return {
    name: 'Centrifuge library, Go',
    doors: servers.map(({ zone, port }) => ({
      zone,
      access: { url: `wss://localhost:${port}/connection/websocket`, ca, token: ticket },
    })),
    usage: () => usageOfAll(servers.map(({ server }) => server.pid() ?? 0)),
    stop: async () => {
      await Promise.all(servers.map(({ server }) => server.stop()));
      removeFolder(folder);
    },
  };
}

/** Any answer over TLS will do: a plain request gets 400. */
function answers(port: number, ca: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(
      `https://localhost:${port}/connection/websocket`,
      { ca, agent: false },
      (response) => {
        response.resume();
        resolve(true);
      },
    );
    call.on('error', reject);
    call.end();
  });
}
