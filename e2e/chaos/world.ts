import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { ADMIN_PATH } from '@causeway/crds';
import { startBackends, startGateway, startTcpProxy, testTopic } from '../../gateway/src/testing/index.ts';
import type {
  Backends,
  GatewayProcess,
  Platform,
  Runtime,
  TcpProxy,
} from '../../gateway/src/testing/index.ts';
import { freePorts, waitFor } from '../tools/index.ts';

/** Soon, so that connections that are half-open are found within the run. */
export const HEARTBEAT = { intervalMs: 1_000, timeoutMs: 1_000 };
/** As many gateways as a world can have: each has listeners of its own at the brokers. */
export const MAX_GATEWAYS = 3;
/** Publications that history holds. `news` forgets early, so that those who are away for long can't recover. */
export const HISTORY_SIZE = { chat: 50_000, news: 10 } as const;
const DUMP = 'dump.rdb';

/** Kafka and Redis, with a way of its own to them for each gateway. */
export interface Servers {
  backends: Backends;
  /** By gateway, then by broker. */
  kafka: TcpProxy[][];
  redis: TcpProxy[];
  /** Makes Redis forget what it has written to its file. */
  forget(): void;
  stop(): Promise<void>;
}

export async function startServers(brokers: 1 | 3): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-rdb-'));
  const kafka: TcpProxy[][] = [];
  const listeners = [];
  for (let index = 0; index < MAX_GATEWAYS; index += 1) {
    const ports = await freePorts(brokers);
    const proxies = await Promise.all(ports.map((port) => startTcpProxy(port)));
    kafka.push(proxies);
    listeners.push({
      name: `GATEWAY${index}`,
      brokers: ports.map((port, broker) => ({ port, advertisedPort: proxies[broker]?.port ?? 0 })),
    });
  }
  const backends = await startBackends({
    kafka: { brokers, listeners },
    redis: async () => ({ args: ['--dir', folder, '--dbfilename', DUMP] }),
  });
  const redis = await Promise.all(kafka.map(() => startTcpProxy(backends.redis.port)));
  return {
    backends,
    kafka,
    redis,
    forget: () => rmSync(join(folder, DUMP), { force: true }),
    async stop() {
      for (const proxy of [...kafka.flat(), ...redis]) proxy.close();
      await backends.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A gateway's place: its process may end and another one takes it, its addresses stay. */
export class Place {
  readonly runtime: Runtime;
  readonly kafka: readonly TcpProxy[];
  readonly redis: TcpProxy;
  readonly #platform: Platform;
  #front: TcpProxy | undefined;
  #gateway: GatewayProcess | undefined;
  /** What processes of this place did that they must not do. */
  readonly complaints: string[] = [];
  /** All that they logged, as JSON lines. */
  readonly logs: string[] = [];

  constructor(runtime: Runtime, platform: Platform, servers: Servers, index: number) {
    this.runtime = runtime;
    this.kafka = servers.kafka[index] ?? [];
    const redis = servers.redis[index];
    if (!redis) throw new Error(`at most ${MAX_GATEWAYS} gateways`);
    this.redis = redis;
    this.#platform = platform;
  }

  /** Where clients come in. */
  get front(): TcpProxy {
    if (!this.#front) throw new Error('not started');
    return this.#front;
  }

  get url(): string {
    return `wss://localhost:${this.front.port}/connection/websocket`;
  }

  get gateway(): GatewayProcess | undefined {
    return this.#gateway;
  }

  /** Starts a gateway, if there is none. Does not wait until it is ready: what it needs may be away. */
  async start(): Promise<void> {
    if (this.#gateway) return;
    this.#front ??= await startTcpProxy(() => this.#gateway?.port ?? 1);
    const { kafka, redis } = this;
    this.#gateway = await startGateway({
      runtime: this.runtime,
      platform: this.#platform,
      ready: false,
      config: (config) => {
        config.kafka.brokers = kafka.map(({ port }) => `127.0.0.1:${port}`);
        config.redis.url = `redis://127.0.0.1:${redis.port}`;
        config.heartbeat = { ...HEARTBEAT };
        // Shorter than some faults: whoever is slow to connect must come back.
        config.connectTimeoutMs = 2_000;
        config.drain = { perSecond: 20, timeoutMs: 2_000, noticeMs: 100 };
      },
    });
  }

  ready(): Promise<boolean> {
    return waitFor(
      'gateway ready',
      async () => (await this.#gateway?.admin(ADMIN_PATH.readyz))?.status === 200,
      {
        timeoutMs: 60_000,
        check: () => {
          if (this.#gateway?.ended) throw new Error('a gateway ended by itself');
        },
      },
    );
  }

  /** Ends the gateway by a signal that must end it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const gateway = this.#gateway;
    if (!gateway) return;
    if (gateway.ended) this.complaints.push(`the gateway ended by itself with ${await gateway.exited}`);
    this.#gateway = undefined;
    gateway.signal(signal);
    const code = await gateway.exited;
    // Before it listens for clients it may not listen for signals.
    const wasUp = gateway.logs.some(({ message }) => message === 'listening');
    if (signal === 'SIGTERM' && code !== 0 && wasUp)
      this.complaints.push(`the gateway ended with ${code} on SIGTERM`);
    this.#read(gateway);
    await gateway.stop();
  }

  async stop(): Promise<void> {
    await this.end('SIGKILL');
    this.#front?.close();
  }

  #read({ logs }: GatewayProcess): void {
    for (const line of logs) {
      const text = JSON.stringify(line);
      this.logs.push(text);
      if (line['level'] === 'error') this.complaints.push(`the gateway logs: ${text}`);
    }
  }
}

/** A platform of its own on servers that several runs share. */
export interface World {
  servers: Servers;
  platform: Platform;
  places: readonly Place[];
  channels: readonly string[];
  /** Sends Redis a command, by a way that no fault touches. */
  redis(command: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startWorld(servers: Servers, runtimes: readonly Runtime[]): Promise<World> {
  const made = await servers.backends.platform();
  const platform: Platform = {
    ...made,
    topics: Object.entries(HISTORY_SIZE).map(([name, size]) =>
      testTopic(made.name, name, { history: { size, seconds: 3_600 } }),
    ),
  };
  const places = runtimes.map((runtime, index) => new Place(runtime, platform, servers, index));
  const stop = async (): Promise<void> => {
    await Promise.all(places.map((place) => place.stop()));
  };
  try {
    await Promise.all(places.map((place) => place.start()));
    await Promise.all(places.map((place) => place.ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers,
    platform,
    places,
    // Enough that each of the three partitions has some.
    channels: ['chat:a', 'chat:b', 'chat:c', 'chat:d', 'news:a', 'news:b'],
    async redis(command) {
      const client = createClient({ url: servers.backends.redis.url });
      client.on('error', () => undefined);
      await client.connect();
      try {
        await client.sendCommand([command]);
      } finally {
        client.destroy();
      }
    },
    stop,
  };
}
