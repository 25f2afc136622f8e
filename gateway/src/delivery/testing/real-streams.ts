import { createClient } from 'redis';
import { startRedis } from '../../../../e2e/harness/index.ts';
import { waitFor } from '../../../../e2e/tools/index.ts';
import { createLog } from '../../log/index.ts';
import { RedisLink, redisKeys, RedisStreams } from '../index.ts';

const clientOf = (url: string) => createClient({ url });

/** Streams in a Redis of their own. */
export interface RealStreams {
  streams: RedisStreams;
  /** A person's client of that Redis. */
  admin: ReturnType<typeof clientOf>;
  keys: ReturnType<typeof redisKeys>;
  stop: () => Promise<void>;
}

/** Starts a Redis, and connects streams to it that keep 1,000 entries for a minute. */
export async function startStreams(): Promise<RealStreams> {
  const redis = await startRedis();
  const admin = clientOf(redis.url);
  await admin.connect();
  const keys = redisKeys('test', 'p');
  const link = new RedisLink({
    redis: { url: redis.url },
    name: 'test',
    log: createLog({ component: 'test' }),
    prepare: (client) => streams.prepare(client),
    connected: () => undefined,
    failed: () => undefined,
  });
  const streams = new RedisStreams(link, keys, () => ({ size: 1_000, seconds: 60 }));
  link.start();
  await waitFor('connected', () => link.ready, { intervalMs: 5 });
  const stop = async (): Promise<void> => {
    link.close();
    admin.destroy();
    await redis.stop();
  };
  return { streams, admin, keys, stop };
}
