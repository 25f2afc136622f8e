import assert from 'node:assert/strict';
import { createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { GatewayConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  keyPair,
  listen,
  mountSecret,
  publish,
  rawClient,
  RUNTIMES,
  sdk,
  signedWith,
  startBackends,
  startGateway,
  startKeyServer,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform } from '../testing/index.ts';

/** No test takes longer, but one that hangs. */
const EACH = { timeout: 60_000 };
const login = { username: 'gateway', password: randomBytes(8).toString('hex') };

for (const runtime of RUNTIMES) {
  describe(`clients of a gateway on ${runtime}`, { timeout: 600_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const ends: (() => void)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends({ kafka: { sasl: login } }), buildBundle()]);
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const end of ends.splice(0)) end();
      const logs = JSON.stringify(running.map((gateway) => gateway.logs));
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
      assert.ok(!logs.includes('eyJ'), 'no token is in a log');
      assert.ok(!/payload of|x{20}/.test(logs), 'nothing that was published is in a log');
    });

    const start = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      const sasl = mountSecret(login);
      ends.push(() => sasl.remove());
      const gateway = await startGateway({
        runtime,
        platform,
        config: (all) => {
          all.kafka.sasl = { mechanism: 'PLAIN', dir: sasl.dir };
          config?.(all);
        },
      });
      running.push(gateway);
      return gateway;
    };
    const client = async (gateways: GatewayProcess[], options: Parameters<typeof sdk>[2] = {}) => {
      const made = await sdk(platform, gateways, options);
      ends.push(() => made.disconnect());
      return made;
    };

    it(
      'come with tokens by the keys of a URL, and by a new key soon after it is published',
      EACH,
      async () => {
        const provider = await startKeyServer(backends.pki);
        const authority = mountSecret({ 'ca.crt': readFileSync(backends.pki.caFile) });
        ends.push(
          () => provider.stop(),
          () => authority.remove(),
        );
        const [old, next] = [await keyPair('old'), await keyPair('next')];
        provider.publish(old);
        const gateway = await start(({ auth }) => {
          auth.jwt = { jwks: { url: provider.url, refreshMs: 1_000, caDir: authority.dir } };
        });
        await connected(await client([gateway], { token: await signedWith(old) }));
        provider.publish(next);
        await connected(await client([gateway], { token: await signedWith(next) }));
        const late = await client([gateway], { token: await signedWith(old) });
        const gone = new Promise((resolve) => late.once('error', resolve));
        late.connect();
        await gone;
        assert.notEqual(late.state, 'connected');
      },
    );

    it(
      'come with tokens by the key set of the Secret, in each algorithm, and not by its public keys',
      EACH,
      async () => {
        const gateway = await start();
        const [rsa, ...others] = [
          await keyPair('a', 'RS256'),
          await keyPair('b', 'ES256'),
          await keyPair('c', 'EdDSA'),
        ] as const;
        const pairs = [rsa, ...others];
        const answer = async (signed: string): Promise<number | undefined> => {
          const raw = await rawClient(platform, gateway);
          ends.push(() => raw.ws.terminate());
          const reply = new Promise<undefined>((resolve) => raw.ws.once('message', () => resolve(undefined)));
          raw.send({ id: 1, connect: { token: signed } });
          return Promise.race([reply, raw.closed.then(({ code }) => code)]);
        };
        assert.equal(await answer(await token('ann')), undefined);
        gateway.jwt.write({ 'jwks.json': JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) }) });
        await waitFor('the shared secret is gone', async () => (await answer(await token('ann'))) === 3500);
        for (const pair of pairs)
          assert.equal(await answer(await signedWith(pair)), undefined, JSON.stringify(pair.jwk));
        // What everybody may know, taken for a shared secret: RFC 8725, 2.1.
        const known = createPublicKey({ key: { ...rsa.jwk }, format: 'jwk' });
        const pem = known.export({ type: 'spki', format: 'pem' });
        assert.equal(await answer(await token('eve', {}, Buffer.from(pem))), 3500);
        // One that is signed by another key of the same kind and name.
        for (const { jwk } of pairs) {
          const other = await keyPair(jwk.kid ?? '', jwk.alg);
          assert.equal(await answer(await signedWith(other)), 3500, JSON.stringify(jwk));
        }
      },
    );

    it('publish to each other through the unchanged SDK, and ask for what was', EACH, async () => {
      const gateway = await start();
      const ann = await connected(
        await client([gateway], { user: 'ann', claims: { info: { name: 'Ann' } } }),
      );
      const bob = await connected(await client([gateway], { user: 'bob' }));
      const heard = await listen(bob, 'chat:room1');
      for (const n of [1, 2, 3]) await publish(ann, 'chat:room1', { n, text: 'payload of ä"\\\n😀' });
      await waitFor('three publications', () => heard.data.length === 3);
      assert.deepEqual(
        heard.data,
        [1, 2, 3].map((n) => ({ n, text: 'payload of ä"\\\n😀' })),
      );
      assert.equal(heard.publications[0]?.info?.user, 'ann');
      assert.deepEqual(heard.publications[0]?.info?.connInfo, { name: 'Ann' });
      const history = await ann.history('chat:room1', { limit: 2, since: { offset: 1, epoch: '' } });
      assert.deepEqual(
        history.publications.map(({ offset }) => offset),
        [2, 3],
      );
      assert.equal(history.offset, 3);
      const newest = await ann.history('chat:room1', { limit: 1, reverse: true });
      assert.equal(newest.publications[0]?.offset, 3);
      heard.subscription.unsubscribe();
      await publish(ann, 'chat:room1', { n: 4 });
      await waitFor('the fourth one in history', async () => (await ann.history('chat:room1')).offset === 4);
      assert.equal(heard.data.length, 3, 'nothing after it unsubscribed');
      assert.ok((await gateway.metric('causeway_gateway_publish_to_deliver_seconds_count')) >= 3);
      assert.equal(await gateway.metric('causeway_gateway_connections'), 2);
    });

    it('are counted: what they send, what they get, and why they are sent away', EACH, async () => {
      const gateway = await start();
      const raw = await rawClient(platform, gateway);
      const bytes = { in: 0, out: 0 };
      // A frame's head has two bytes, and two more for the length of a payload from 126 bytes on.
      raw.ws.on('message', (data: Buffer) => (bytes.out += data.length + (data.length < 126 ? 2 : 4)));
      const commands = [
        { id: 1, connect: { token: await token('ann') } },
        { id: 2, subscribe: { channel: 'chat:a' } },
        ...[3, 4, 5].map((id) => ({ id, publish: { channel: 'chat:a', data: 'x'.repeat(id * 40) } })),
      ];
      for (const [index, command] of commands.entries()) {
        raw.send(command);
        bytes.in += JSON.stringify(command).length;
        await waitFor('its reply', () => raw.lines.some(({ id }) => id === index + 1), { intervalMs: 5 });
      }
      await waitFor('three publications', () => raw.lines.filter(({ push }) => push).length === 3);
      const forged = await rawClient(platform, gateway);
      forged.send({ id: 1, connect: { token: await token('eve', {}, randomBytes(32)) } });
      assert.equal((await forged.closed).code, 3500);
      const { body } = await gateway.admin('/metrics');
      const counted = new Set(body.split('\n').map((line) => line.replace('causeway_gateway_', '')));
      for (const expected of [
        'messages_total{direction="in"} 6',
        'messages_total{direction="out"} 3',
        `bytes_total{direction="out"} ${bytes.out}`,
        'publish_ack_seconds_count 3',
        'publish_to_deliver_seconds_count 3',
        'carried_total 3',
        'disconnects_total{code="3500"} 1',
        'errors_total{kind="token_invalid"} 1',
        'handshakes_total{outcome="ok"} 2',
        'handshakes_resumed_total 0',
        ...['redis-commands', 'redis-feed', 'kafka'].map((name) => `backend_up{backend="${name}"} 1`),
        ...['chat', 'news'].map((name) => `carry_lag_records{topic="${platform.name}.${name}"} 0`),
      ])
        assert.ok(counted.has(expected), `${expected} in\n${body}`);
      const others = (await gateway.metric('causeway_gateway_bytes_total')) - bytes.out - bytes.in;
      assert.ok(others > 0 && others < 300, 'the forged token came in too, and nothing else');
    });

    it('leave nothing behind', EACH, async () => {
      const gateway = await start();
      for (let round = 0; round < 5; round++) {
        const raws = await Promise.all(Array.from({ length: 20 }, () => rawClient(platform, gateway)));
        for (const [i, raw] of raws.entries()) {
          const subscribe = (id: number) => ({ id, subscribe: { channel: `chat:${i}-${id}` } });
          raw.send({ id: 1, connect: { token: await token(`user ${i}`) } }, subscribe(2), subscribe(3));
          // Some go before they are answered, some without saying so.
          if (i % 3 === 0) raw.ws.close();
          else if (i % 3 === 1) raw.ws.terminate();
          else await waitFor('answers', () => raw.lines.length === 3, { intervalMs: 5 });
          raw.ws.terminate();
        }
      }
      const left = async (name: string): Promise<boolean> =>
        (await gateway.metric(`causeway_gateway_${name}`)) === 0;
      await waitFor('no connections', () => left('connections'));
      await waitFor('no channels', () => left('channels'));
      await waitFor('nothing kept', () => left('kept'));
    });

    it('do not wait for a look at the heap when metrics are asked for', EACH, async () => {
      const { body } = await (await start()).admin('/metrics');
      assert.match(body, /^process_resident_memory_bytes \d/m);
      assert.match(body, /^nodejs_heap_size_used_bytes \d/m);
      // Node has them at hand.
      assert.equal(body.includes('nodejs_heap_space_size_total_bytes'), runtime === 'node');
    });

    it("get errors with the protocol's numbers", EACH, async () => {
      const gateway = await start(
        (config) => (config.limits = { ...config.limits, messagesPerSecond: 0.001, burst: 2 }),
      );
      const ann = await connected(await client([gateway]));
      const code = (expected: number) => (error: { code: number }) => error.code === expected;
      await assert.rejects(ann.publish('other:room', 1), code(102));
      await assert.rejects(ann.publish('chat', 1), code(102));
      await assert.rejects(ann.publish('chat:a', 'x'.repeat(40_000)), code(106));
      await assert.rejects(ann.presence('chat:a'), code(108));
      await publish(ann, 'chat:a', 1);
      await ann.publish('chat:a', 2);
      await assert.rejects(ann.publish('chat:a', 3), code(111));
      const raw = await rawClient(platform, gateway);
      raw.send(
        { id: 1, connect: { token: await token('bob') } },
        { id: 2, subscribe: { channel: 'chat:a' } },
      );
      raw.send({ id: 3, subscribe: { channel: 'chat:a' } }, { id: 4, dance: {} });
      const replies = (): typeof raw.lines => raw.lines.filter(({ id }) => id !== undefined);
      await waitFor('four replies', () => replies().length >= 4);
      const codes = new Map(
        replies().map(({ id, error }) => [id, (error as { code: number } | undefined)?.code]),
      );
      assert.deepEqual(
        [1, 2, 3, 4].map((id) => codes.get(id)),
        [undefined, undefined, 105, 104],
      );
      raw.ws.close();
    });

    it('are refused with a bad token, and told to renew an old one', EACH, async () => {
      const gateway = await start();
      const forged = await client([gateway], { token: await token('eve', {}, randomBytes(32)) });
      const refusal = new Promise<{ code: number }>((resolve) => forged.on('disconnected', resolve));
      forged.connect();
      assert.equal((await refusal).code, 3500);
      const old = await token('ann', { exp: Math.floor(Date.now() / 1000) - 60 });
      const renewing = await client([gateway], { token: old, getToken: () => token('ann') });
      await connected(renewing);
    });

    it('stay connected when they refresh their token in time', EACH, async () => {
      const gateway = await start();
      const soon = () => token('ann', { exp: Math.floor(Date.now() / 1000) + 2 });
      let refreshed = 0;
      const ann = await client([gateway], {
        token: await soon(),
        getToken: () => {
          refreshed += 1;
          return refreshed === 1 ? soon() : token('ann');
        },
      });
      const connecting: number[] = [];
      ann.on('connecting', ({ code }) => connecting.push(code));
      await connected(ann);
      await waitFor('two refreshes', () => refreshed === 2);
      await ann.publish('chat:a', 1).catch(() => publish(ann, 'chat:a', 1));
      assert.deepEqual(connecting, [0], 'no reconnect');
    });

    it("are closed when they say nothing, and when they don't answer pings", EACH, async () => {
      const gateway = await start((config) => {
        config.connectTimeoutMs = 500;
        config.heartbeat = { intervalMs: 300, timeoutMs: 300 };
      });
      const silentTcp = connectTcp(gateway.port, '127.0.0.1').resume();
      const tls = {
        port: gateway.port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: readFileSync(platform.pki.caFile),
      };
      const silentTls = connectTls(tls).resume();
      const closed = [silentTcp, silentTls].map((socket) => {
        socket.on('error', () => undefined);
        return new Promise((resolve) => socket.once('close', resolve));
      });
      const silentClient = await rawClient(platform, gateway);
      const deaf = await rawClient(platform, gateway);
      deaf.send({ id: 1, connect: { token: await token('ann') } });
      await Promise.all(closed);
      assert.deepEqual(await silentClient.closed, { code: 3011, reason: 'stale' });
      assert.deepEqual(await deaf.closed, { code: 3012, reason: 'no pong' });
      const ann = await connected(await client([gateway]));
      const left: number[] = [];
      ann.on('connecting', ({ code }) => left.push(code));
      const already = await gateway.metric('causeway_gateway_messages_total');
      await waitFor(
        'some pings',
        async () => (await gateway.metric('causeway_gateway_messages_total')) > already + 3,
      );
      assert.deepEqual(left, [], 'one that answers stays');
    });

    it(
      'need not answer pings while they send something else, and must once they fall silent',
      EACH,
      async () => {
        const gateway = await start((config) => (config.heartbeat = { intervalMs: 700, timeoutMs: 600 }));
        const busy = await rawClient(platform, gateway);
        let pings = 0;
        busy.ws.on('message', (data: Buffer) => {
          if (data.toString() !== '{}') return;
          pings += 1;
          if (pings <= 2) busy.send({ id: 1 + pings, history: { channel: 'chat:a' } });
        });
        busy.send({ id: 1, connect: { token: await token('ann') } });
        assert.deepEqual(await busy.closed, { code: 3012, reason: 'no pong' });
        assert.equal(pings, 3);
      },
    );

    it('are sent away for what is no command', EACH, async () => {
      const gateway = await start();
      for (const frame of [
        'nonsense',
        '{"id":1}',
        Buffer.from([1, 2, 3]),
        '{"id":1,"subscribe":{"channel":"chat:a"}}',
      ]) {
        const raw = await rawClient(platform, gateway);
        raw.ws.send(frame);
        assert.equal((await raw.closed).code, 3501, String(frame));
      }
      const large = await rawClient(platform, gateway);
      large.ws.send('x'.repeat(70_000));
      assert.equal((await large.closed).code, 1009);
      const inPieces = await rawClient(platform, gateway);
      for (let piece = 0; piece <= 1_024; piece += 1) inPieces.ws.send('{', { fin: false });
      assert.equal((await inPieces.closed).code, 1008);
      assert.equal((await gateway.admin('/healthz')).status, 200);
    });

    it('have 128 channels each, and one more when they leave one', EACH, async () => {
      const raw = await rawClient(platform, await start());
      const subscribe = (id: number) => ({ id, subscribe: { channel: `chat:${id}` } });
      const answered = async (id: number): Promise<unknown> => {
        await waitFor(`an answer to ${id}`, () => raw.lines.some((line) => line['id'] === id));
        return raw.lines.find((line) => line['id'] === id)?.['error'];
      };
      raw.send({ id: 200, connect: { token: await token('ann') } });
      raw.send(...Array.from({ length: 128 }, (_, id) => subscribe(id + 1)));
      for (let id = 1; id <= 128; id += 1) assert.equal(await answered(id), undefined);
      raw.send(subscribe(129));
      assert.deepEqual(await answered(129), { code: 106, message: 'limit exceeded' });
      raw.send({ id: 201, unsubscribe: { channel: 'chat:1' } });
      assert.equal(await answered(201), undefined);
      raw.send(subscribe(130));
      assert.equal(await answered(130), undefined);
    });

    it('may send in one message all that was held back while they connected', EACH, async () => {
      const gateway = await start();
      const held = await client([gateway], { user: 'held back' });
      held.connect();
      const data = 'x'.repeat(30_000);
      await Promise.all([1, 2, 3, 4, 5].map(() => held.publish('chat:held', data)));
    });

    it('are refused over the limit of connections, before TLS', EACH, async () => {
      const gateway = await start((config) => (config.limits.connections = 3));
      const first = await Promise.all([1, 2, 3].map(() => rawClient(platform, gateway)));
      await assert.rejects(rawClient(platform, gateway));
      const ready = await gateway.admin('/readyz');
      assert.equal(ready.status, 503);
      assert.match(ready.body, /limit of 3 connections/);
      first[0]?.ws.close();
      await first[0]?.closed;
      await waitFor('a place', async () => (await rawClient(platform, gateway)).ws.readyState === 1);
    });

    it("that read too slowly are closed with their code, and others don't notice", EACH, async () => {
      const gateway = await start();
      const ann = await connected(await client([gateway]));
      const heard = await listen(await connected(await client([gateway], { user: 'bob' })), 'chat:big');
      const slow = await rawClient(platform, gateway);
      slow.send(
        { id: 1, connect: { token: await token('slow') } },
        { id: 2, subscribe: { channel: 'chat:big' } },
      );
      await waitFor('subscribed', () => slow.lines.length >= 2);
      slow.ws.pause();
      const data = 'x'.repeat(30_000);
      let sent = 0;
      let waiting = 0;
      await waitFor(
        'the slow reader is dropped',
        async () => {
          await Promise.all(Array.from({ length: 20 }, () => publish(ann, 'chat:big', data)));
          sent += 20;
          waiting = Math.max(waiting, await gateway.metric('causeway_gateway_output_largest_bytes'));
          return (await gateway.metric('causeway_gateway_drops_total')) >= 1;
        },
        { intervalMs: 1, timeoutMs: 60_000 },
      );
      slow.ws.resume();
      assert.deepEqual(await slow.closed, { code: 3008, reason: 'slow' });
      await waitFor('all at the other', () => heard.data.length === sent);
      assert.ok(waiting >= 100_000 && waiting <= 1_048_576, `${waiting} bytes waited for it`);
      const left = (): Promise<number> => gateway.metric('causeway_gateway_output_bytes');
      await waitFor('nothing waits', async () => (await left()) === 0);
    });

    it('are sent elsewhere on SIGTERM, and go on there with nothing lost', EACH, async () => {
      const leaving = await start(
        (config) => (config.drain = { perSecond: 10, timeoutMs: 3_000, noticeMs: 0 }),
      );
      const staying = await start();
      const clients = await Promise.all(
        Array.from({ length: 10 }, (_, i) => client([leaving, staying], { user: `user ${i}` })),
      );
      const codes: number[] = [];
      for (const one of clients) {
        one.on('connecting', ({ code }) => code !== 0 && codes.push(code));
        await connected(one);
      }
      const heard = await Promise.all(clients.map((one) => listen(one, 'chat:room1')));
      const ann = await connected(await client([staying], { user: 'ann' }));
      await publish(ann, 'chat:room1', 0);
      const began = performance.now();
      leaving.signal('SIGTERM');
      await waitFor('not ready', async () => (await leaving.admin('/readyz')).status === 503, {
        intervalMs: 10,
      });
      let sent = 1;
      await waitFor(
        'it is gone',
        async () => {
          await publish(ann, 'chat:room1', sent++);
          return leaving.ended;
        },
        { intervalMs: 5 },
      );
      assert.equal(await leaving.exited, 0);
      assert.ok(performance.now() - began < 15_000);
      await publish(ann, 'chat:room1', sent++);
      const all = Array.from({ length: sent }, (_, i) => i);
      for (const listener of heard) {
        await waitFor('all of them', () => listener.data.length >= sent);
        assert.deepEqual(listener.data, all);
      }
      assert.deepEqual(
        codes.slice(0, 10),
        Array.from({ length: 10 }, () => 3001),
      );
    });

    it('have no gateway where the configuration is wrong, and its operator is told what', EACH, async () => {
      await assert.rejects(
        startGateway({ runtime, platform, config: (all) => (all.limits.burst = -1) }),
        /ended with 2:[^]*gateway\.json: limits\.burst: must be a whole number from 1; it is -1/,
      );
    });
  });
}
