/** All clients of a server lose it at once, while others go on publishing, and come back. */
import { setTimeout as delay } from 'node:timers/promises';
import { usageOf } from '../common/process-usage.ts';
import { check, type Faults } from './books.ts';
import type { Contestant, Group, Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import { Load, type Fed } from './load.ts';
import { announce, connect, pidOf, warmUp } from './rig.ts';
import { portFree } from './server-port.ts';

/** Connections that publish, by the server that stays. */
const PUBLISHERS = 4;
const BYTES = 128;
const CHANNEL = 'chat:storm-%d';
/** Publishing before the server is killed and after all are back. */
const QUIET_MS = 3_000;
/** How long clients may take to come back, and messages to arrive. */
const BACK_SECONDS = 180;
const ARRIVE_SECONDS = 30;

/** One storm. */
export interface StormRun {
  contestant: string;
  run: number;
  clients: number;
  /** That came back; less than clients: the others did not within the time. */
  back: number;
  attempts: number;
  /** Times that the server could not give what was missed. */
  unrecovered: number;
  /** From the kill until the server was ready again. */
  restartSeconds: number;
  /** From the first loss until the last client was back and had what it missed. */
  seconds: number;
  /** From its own loss until each was back. */
  times: Times;
  published: number;
  /** Publications that the server that stayed refused. */
  refused: number;
  faults: Faults;
  /** Of the server from its second start until all were back, and of the clients meanwhile. */
  serverCpuSeconds: number;
  loadCpuSeconds: number;
}

export interface StormOptions {
  run: number;
  clients: number;
  channels: number;
  perSecond: number;
}

/** A storm on one of two servers that deliver each other's messages. */
export async function measureStorm(stage: Stage, kind: Kind, options: StormOptions): Promise<StormRun> {
  const contestant = announce('storm', kind, options.run);
  const group: Group = {};
  const dying = await stage.contestant(kind, group);
  try {
    const staying = await stage.contestant(kind, group);
    try {
      await Promise.all([dying.server.start(), staying.server.start()]);
      const load = await Load.start(stage);
      try {
        return { contestant, run: options.run, ...(await storm(load, dying, staying, options)) };
      } finally {
        await load.stop();
      }
    } finally {
      await staying.stop();
    }
  } finally {
    await dying.stop();
  }
}

async function storm(
  load: Load,
  dying: Contestant,
  staying: Contestant,
  options: StormOptions,
): Promise<Omit<StormRun, 'contestant' | 'run'>> {
  const { clients, channels, perSecond } = options;
  for (const server of [dying, staying]) await warmUp(load, server.address);
  const perChannel = Math.ceil(clients / channels);
  const { address } = dying;
  await connect(load, {
    group: 'clients',
    address,
    count: clients,
    channel: CHANNEL,
    perChannel,
    recover: true,
  });
  await connect(load, { group: 'publishers', address: staying.address, count: PUBLISHERS });
  const seconds = BACK_SECONDS + 60;
  const feed = { group: 'publishers', perSecond, seconds, bytes: BYTES, channel: CHANNEL, channels };
  await load.run('feed', feed);
  await delay(QUIET_MS);
  const killedAt = performance.now();
  await dying.server.kill();
  await portFree(dying.port);
  await dying.server.start();
  const restartSeconds = (performance.now() - killedAt) / 1000;
  const { result: back, cpuSeconds } = await load.run('await-back', {
    group: 'clients',
    seconds: BACK_SECONDS,
  });
  const serverCpuSeconds = usageOf(pidOf(dying)).cpuSeconds;
  await delay(QUIET_MS);
  const { result: fed } = await load.run('feed-stop', {});
  const count = expected(fed, clients, perChannel);
  const { result: books } = await load.run('books', { group: 'clients', seconds: ARRIVE_SECONDS, count });
  const faults = check(books, fed.channels);
  console.error(
    `  ${back.back} of ${clients} back after ${back.seconds.toFixed(1)} s (restart ${restartSeconds.toFixed(1)} s); ` +
      `lost ${faults.lost}, doubled ${faults.doubled}, out of order ${faults.outOfOrder} of ${count}; ` +
      `${back.unrecovered} not recovered, ${fed.failed} publications refused`,
  );
  return {
    clients,
    back: back.back,
    attempts: back.attempts,
    unrecovered: back.unrecovered,
    restartSeconds,
    seconds: back.seconds,
    times: timesOf(back.times),
    published: fed.acknowledged,
    refused: fed.failed,
    faults,
    serverCpuSeconds,
    loadCpuSeconds: cpuSeconds,
  };
}

/** Messages that all clients together should have. */
function expected(fed: Fed, clients: number, perChannel: number): number {
  const members = (number: number): number =>
    Math.max(0, Math.min(perChannel, clients - number * perChannel));
  return Object.entries(fed.channels).reduce(
    (sum, [name, numbers]) => sum + numbers.length * members(Number(name.slice(name.lastIndexOf('-') + 1))),
    0,
  );
}
