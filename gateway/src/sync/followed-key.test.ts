import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EtcdClient } from '../etcd/index.ts';
import { KeyFollower } from './followed-key.ts';

/** An etcd that has only one key, or not even that. */
const etcdWith = (revision: number, kv?: { value: string; mod: number }): EtcdClient => {
  const kvs = kv ? [{ value: Buffer.from(kv.value), mod_revision: String(kv.mod) }] : [];
  const range = async () => ({ header: { revision: String(revision) }, kvs });
  return { range } as unknown as EtcdClient;
};
const change = (key: string, value?: string) => ({
  key: Buffer.from(key),
  value: value === undefined ? undefined : Buffer.from(value),
});

describe('a followed key', () => {
  const follow = () => {
    const told: string[] = [];
    const follower = new KeyFollower({
      key: '/config/k',
      changed: (value, revision) => void told.push(`${value?.toString() ?? 'none'} ${revision}`),
    });
    return { told, follower };
  };

  it('is told as it is, then as it changes, and not as it was', async () => {
    const { told, follower } = follow();
    await follower.begin(etcdWith(10, { value: 'ten', mod: 7 }));
    follower.take({ revision: 7n, changes: [change('/config/k', 'seven')] });
    follower.take({ revision: 10n, changes: [change('/config/k', 'ten')] });
    follower.take({ revision: 11n, changes: [change('/config/kk', 'x'), change('/config/', 'y')] });
    follower.take({ revision: 12n, changes: [change('/config/a', 'x'), change('/config/k', 'twelve')] });
    follower.take({ revision: 13n, changes: [change('/config/k')] });
    assert.deepEqual(told, ['ten 7', 'twelve 12', 'none 13']);
  });

  it('is read again at each connection, also to an etcd that is another one', async () => {
    const { told, follower } = follow();
    await follower.begin(etcdWith(10, { value: 'ten', mod: 7 }));
    await follower.begin(etcdWith(3));
    follower.take({ revision: 4n, changes: [change('/config/k', 'four')] });
    assert.deepEqual(told, ['ten 7', 'none 3', 'four 4']);
  });
});
