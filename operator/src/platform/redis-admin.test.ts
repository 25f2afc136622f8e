import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { parseReplicationInfo, redisAdmin } from './redis-admin.ts';

describe('what a Redis says of itself', () => {
  it('is its role', () => {
    assert.deepEqual(parseReplicationInfo('# Replication\r\nrole:master\r\nconnected_slaves:2\r\n'), {
      role: 'primary',
    });
  });

  it('is how far it is', () => {
    const text = 'role:master\r\nmin_slaves_good_slaves:2\r\nmaster_repl_offset:4711\r\n';
    assert.deepEqual(parseReplicationInfo(text), { role: 'primary', offset: 4711 });
    const { offset } = parseReplicationInfo(
      'role:slave\r\nslave_repl_offset:4000\r\nmaster_repl_offset:1\r\n',
    );
    assert.equal(offset, 4000);
  });

  it('is how many replicas it hears, as it counts them itself', () => {
    const replica = (state: string, lag: number): string =>
      `ip=10.0.0.1,port=6379,state=${state},offset=1,lag=${lag}`;
    const text = (...lines: string[]): string =>
      ['role:master', ...lines.map((line, n) => `slave${n}:${line}`)].join('\r\n');
    const heard = (...lines: string[]): number | undefined => parseReplicationInfo(text(...lines)).heard;
    assert.equal(heard(replica('online', 0), replica('online', 10)), 2);
    assert.equal(heard(replica('online', 11), replica('wait_bgsave', 0)), undefined);
    assert.equal(heard(), undefined);
  });

  it('is whom it follows, and whether it has caught up', () => {
    const text = 'role:slave\r\nmaster_host:orders-redis-zone-a\r\nmaster_link_status:up\r\n';
    const replica = { role: 'replica', primaryHost: 'orders-redis-zone-a' };
    assert.deepEqual(parseReplicationInfo(`${text}master_sync_in_progress:0\r\n`), {
      ...replica,
      inSync: true,
    });
    assert.deepEqual(parseReplicationInfo(`${text}master_sync_in_progress:1\r\n`), {
      ...replica,
      inSync: false,
    });
  });
});

describe('a Redis that does not answer', () => {
  let silent: Server;
  const sockets = new Set<Socket>();
  before(async () => {
    silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('is given up, also when it takes connections', async () => {
    const { port } = silent.address() as AddressInfo;
    await assert.rejects(redisAdmin.look({ host: '127.0.0.1', port }), /no answer within 2 s/);
    assert.equal(sockets.size, 2, 'it was asked twice');
  });

  it('is given up at once when it refuses connections', async () => {
    await assert.rejects(redisAdmin.look({ host: '127.0.0.1', port: 1 }), /ECONNREFUSED/);
  });
});
