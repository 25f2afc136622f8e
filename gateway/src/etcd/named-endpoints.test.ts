import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, credentials } from '@grpc/grpc-js';
import { freePort, waitFor } from '../../../e2e/tools/index.ts';
import { Names } from '../names/index.ts';
import { askedOf, grpcTarget } from './named-endpoints.ts';

describe('the target of an endpoint', () => {
  it('has our scheme where it is a name, and none where it is an address', () => {
    assert.equal(grpcTarget('https://etcd.shop.svc:2379'), 'causeway:///etcd.shop.svc:2379');
    assert.equal(grpcTarget('http://localhost:2379'), 'causeway:///localhost:2379');
    for (const endpoint of ['https://10.0.0.1:2379', 'http://[::1]:2379'])
      assert.equal(grpcTarget(endpoint), endpoint);
  });
});

function callOf(client: Client): Promise<unknown> {
  const bytes = (value: Buffer): Buffer => value;
  return new Promise((_, reject) => {
    client.makeUnaryRequest('/a/b', bytes, bytes, Buffer.alloc(0), { deadline: Date.now() + 5_000 }, reject);
  });
}

describe('a server that refuses connections', () => {
  it('is looked for a few times a second, and keeps the process from nothing', async () => {
    let looked = 0;
    const names = new Names({
      ask: async () => [{ address: '127.0.0.1', family: 4 }],
      now: () => {
        looked += 1;
        // Without an end it would not be told: nothing else gets its turn.
        if (looked > 1_000) throw new Error('it is looked for without a pause');
        return performance.now();
      },
    });
    const port = await freePort();
    const client = new Client(grpcTarget(`http://etcd.test:${port}`), credentials.createInsecure(), {
      ...askedOf(names),
      'grpc.initial_reconnect_backoff_ms': 100,
    });
    try {
      const until = performance.now() + 600;
      while (performance.now() < until) await assert.rejects(callOf(client), /ECONNREFUSED/);
      assert.ok(looked < 60, `the clock was read ${looked} times`);
    } finally {
      client.close();
    }
  });
});

describe('a name that nobody can say anything of', () => {
  it('fails the call, and says so; it is asked for again', async () => {
    let asked = 0;
    const names = new Names({
      ask: () => {
        asked += 1;
        return Promise.reject(Object.assign(new Error('no'), { code: 'EAI_AGAIN' }));
      },
      now: () => performance.now(),
    });
    const options = { ...askedOf(names), 'grpc.initial_reconnect_backoff_ms': 20 };
    const client = new Client(grpcTarget('http://etcd.test:2379'), credentials.createInsecure(), options);
    const call = (): Promise<unknown> => callOf(client);
    try {
      await assert.rejects(call(), /no address of etcd\.test is known: EAI_AGAIN/);
      await waitFor('it is asked for again', async () => {
        await assert.rejects(call(), /no address of etcd\.test is known/);
        return asked > 1;
      });
    } finally {
      client.close();
    }
  });
});
