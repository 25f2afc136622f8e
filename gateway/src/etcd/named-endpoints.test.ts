import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, credentials } from '@grpc/grpc-js';
import { waitFor } from '../../../e2e/tools/index.ts';
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
    const call = (): Promise<unknown> =>
      new Promise((_, reject) => {
        const bytes = (value: Buffer): Buffer => value;
        client.makeUnaryRequest(
          '/a/b',
          bytes,
          bytes,
          Buffer.alloc(0),
          { deadline: Date.now() + 5_000 },
          reject,
        );
      });
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
