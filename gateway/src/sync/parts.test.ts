import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Change } from '../etcd/index.ts';
import { bearerToken } from './authorize.ts';
import { SyncFailure } from './failure.ts';
import { Gate } from './gate.ts';
import { dataFrame, encodingOf, requestMessage, trailersFrame, trailersOf } from './grpc-web.ts';
import { decodeRequest, encodeResponse, requestOf, responseToJson } from './message.ts';
import type { SyncEvent, WatchResponse } from './message.ts';
import { allowedPrefixes, isUnder } from './rights.ts';
import { Ring } from './ring.ts';
import { loadSchema } from './testing/index.ts';
import { toTransaction } from './transaction.ts';

const schema = loadSchema();
const buffer = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const event: fc.Arbitrary<SyncEvent> = fc
  .record({
    key: buffer,
    value: fc.option(buffer, { nil: undefined }),
    previous: fc.option(buffer, { nil: undefined }),
    modRevision: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
  })
  .map(({ previous, ...rest }) => ({ ...rest, ...(previous && { previous }) }));
const response: fc.Arbitrary<WatchResponse> = fc.record({
  kind: fc.constantFrom('snapshot', 'changes', 'progress'),
  events: fc.array(event, { maxLength: 4 }),
  position: fc.option(
    fc.record({
      revision: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
      epoch: fc.integer({ min: 1, max: 2 ** 40 }),
    }),
    { nil: undefined },
  ),
});
const refused = (reason: string) => (error: unknown) =>
  error instanceof SyncFailure && error.reason === reason;

describe('messages', () => {
  const type = schema.lookupType('causeway.sync.v1.WatchResponse');
  const show = (message: object): object => {
    const {
      kind,
      events = [],
      position,
    } = message as {
      kind: string;
      events?: Record<string, unknown>[];
      position?: Record<string, unknown>;
    };
    return {
      kind,
      events: events.map((one) => ({
        key: one['key'] ?? '',
        value: one['value'] ?? '',
        prev_value: one['prev_value'],
        mod_revision: one['mod_revision'] ?? '0',
        is_deleted: one['is_deleted'] ?? false,
      })),
      position: position && { rev: String(position['rev']), epoch: String(position['epoch']) },
    };
  };

  it('are what the .proto file says, for another library, in Protobuf and in JSON', () => {
    fc.assert(
      fc.property(response, (message) => {
        const decoded = type.toObject(type.decode(encodeResponse(message)), {
          bytes: String,
          longs: String,
          enums: String,
        });
        assert.deepEqual(show(decoded), show(JSON.parse(responseToJson(message)) as object));
        assert.equal(
          show(decoded)['kind' as never],
          { snapshot: 'KIND_SNAPSHOT', changes: 'KIND_CHANGES', progress: 'KIND_PROGRESS' }[message.kind],
        );
      }),
    );
  });

  it('requests of another library are read', () => {
    const request = schema.lookupType('causeway.sync.v1.WatchRequest');
    const written = request.encode({ prefixes: ['/a/', '/ü/'], rev: 7, epoch: 2 }).finish();
    assert.deepEqual(decodeRequest(written), { prefixes: ['/a/', '/ü/'], from: { revision: 7n, epoch: 2 } });
    assert.deepEqual(decodeRequest(new Uint8Array()), { prefixes: [], from: undefined });
    assert.deepEqual(requestOf(['/a/'], '7', null), {
      prefixes: ['/a/'],
      from: { revision: 7n, epoch: undefined },
    });
    for (const rev of ['x', '-1', 1.5, '9'.repeat(19), {}]) {
      assert.throws(() => requestOf([], rev, undefined), refused('bad-request'));
    }
  });

  it('bytes that are no request are refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (garbage) => {
        try {
          decodeRequest(garbage);
        } catch (error) {
          assert.ok(refused('bad-request')(error), String(error));
        }
      }),
    );
  });
});

describe('gRPC-Web', () => {
  it('a frame is read as it was written, in both encodings', () => {
    for (const encoding of ['binary', 'text'] as const) {
      fc.assert(
        fc.property(buffer, (message) => {
          assert.deepEqual(Buffer.from(requestMessage(dataFrame(message, encoding), encoding)), message);
        }),
      );
    }
  });

  it('bodies in another form are refused', () => {
    const bad = ['\x01\0\0\0\0', '\0\0\0\0\x09x', '\x80\0\0\0\0', '\0\0'].map((one) =>
      Buffer.from(one, 'latin1'),
    );
    for (const body of bad) assert.throws(() => requestMessage(body, 'binary'), refused('bad-request'));
    assert.throws(() => requestMessage(Buffer.from('A-=='), 'text'), refused('bad-request'));
  });

  it('content types', () => {
    assert.equal(encodingOf('application/grpc-web'), 'binary');
    assert.equal(encodingOf('application/grpc-web-text+proto; charset=utf-8'), 'text');
    for (const other of [undefined, 'application/grpc', 'application/grpc-web+json', 'text/plain']) {
      assert.equal(encodingOf(other), undefined);
    }
  });

  it('trailers say why, and from where one could have resumed', () => {
    const failure = new SyncFailure('compacted', 'zu früh 100%\r\n', { oldest: { epoch: 1, revision: 9n } });
    assert.equal(
      trailersFrame(trailersOf(failure), 'binary').subarray(5).toString(),
      'grpc-status:11\r\ngrpc-message:zu fr%C3%BCh 100%25%0D%0A\r\ncauseway-reason:compacted\r\n' +
        'causeway-oldest-rev:9\r\ncauseway-oldest-epoch:1\r\n',
    );
  });

  it('a bearer token is a word of its own', () => {
    assert.equal(bearerToken('Bearer a.b.c'), 'a.b.c');
    assert.equal(bearerToken('bearer  a_-~+/='), 'a_-~+/=');
    for (const none of [undefined, '', 'Bearer', 'Basic YQ==', 'Bearer a b', 'Bearer a,b']) {
      assert.equal(bearerToken(none), undefined);
    }
  });
});

describe('rights', () => {
  const served = ['/config/', '/tenants/'];

  it('what is asked for must be within both the token and the platform', () => {
    const rights = { granted: ['/tenants/acme/', '/other/'], served };
    assert.deepEqual(allowedPrefixes(['/tenants/acme/'], rights), ['/tenants/acme/']);
    assert.deepEqual(allowedPrefixes(['/tenants/acme/x', '/tenants/acme/'], rights), ['/tenants/acme/']);
    for (const asked of ['/tenants/', '/tenants/ac', '/other/', '/config/', '/', '/causeway.dev/']) {
      assert.throws(() => allowedPrefixes([asked], rights), refused('no-right'), asked);
    }
    assert.throws(() => allowedPrefixes([''], rights), refused('bad-request'));
    assert.throws(() => allowedPrefixes(Array(17).fill('/config/'), rights), refused('bad-request'));
  });

  it('nothing asked for is all that both have', () => {
    assert.deepEqual(allowedPrefixes([], { granted: ['/'], served }), served);
    assert.deepEqual(allowedPrefixes([], { granted: ['/config/a/', '/x/'], served }), ['/config/a/']);
    assert.throws(() => allowedPrefixes([], { granted: ['/x/'], served }), refused('no-right'));
    assert.throws(() => allowedPrefixes([], { granted: [], served }), refused('no-right'));
  });

  it('never shows a key outside of both', () => {
    const prefix = fc.stringMatching(/^\/[ab]{0,2}\/?$/);
    fc.assert(
      fc.property(fc.array(prefix), fc.array(prefix), fc.array(prefix), (asked, granted, all) => {
        let allowed: string[];
        try {
          allowed = allowedPrefixes(asked, { granted, served: all });
        } catch (error) {
          assert.ok(error instanceof SyncFailure);
          return;
        }
        for (const key of ['/', '/a/', '/a/k', '/ab/k', '/abk', '/b/k', '/aa']) {
          if (
            !isUnder(
              Buffer.from(key),
              allowed.map((one) => Buffer.from(one)),
            )
          )
            continue;
          assert.ok(
            granted.some((one) => key.startsWith(one)),
            `${key} is not granted`,
          );
          assert.ok(
            all.some((one) => key.startsWith(one)),
            `${key} is not served`,
          );
        }
      }),
    );
  });
});

describe('the ring', () => {
  const put = (at: number, size: number): ReturnType<typeof toTransaction> => {
    const changes: Change[] = [{ key: Buffer.from('/config/a'), value: Buffer.alloc(size) }];
    return toTransaction({ revision: BigInt(at), changes }, { home: true, epoch: 1 }, undefined);
  };

  it('keeps what fits, knows from where on it has everything, and gives it in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { minLength: 1, maxLength: 30 }), (sizes) => {
        const ring = new Ring(0n, 10_000);
        let bytes = 0;
        for (const [index, size] of sizes.entries()) ring.add(put((index + 1) * 2, size));
        const kept: bigint[] = [];
        for (let next = ring.after(ring.base); next; next = ring.after(next.transaction.at)) {
          kept.push(next.transaction.at);
          bytes += next.transaction.bytes;
        }
        const expected = sizes.map((_, index) => BigInt((index + 1) * 2)).filter((at) => at > ring.base);
        assert.deepEqual(kept, expected);
        assert.ok(bytes <= 10_000 && kept.length > 0);
        assert.deepEqual(ring.after(ring.base + 1n)?.transaction.at, kept[0]);
      }),
    );
  });
});

describe('a gate', () => {
  it('lets in as many as it may, in order, also after one has failed', async () => {
    const gate = new Gate(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const run = (n: number): Promise<void> =>
      gate.run(async () => {
        order.push(n);
        most = Math.max(most, (running += 1));
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        if (n === 1) throw new Error('failed');
      });
    const results = await Promise.allSettled([0, 1, 2, 3, 4].map(run));
    assert.equal(most, 2);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    assert.equal(results.filter(({ status }) => status === 'rejected').length, 1);
  });
});
