import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it, mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { State } from 'centrifuge';
import type { Centrifuge } from 'centrifuge';
import { WebSocket } from 'ws';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  listen,
  publish,
  rawBinaryClient,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  startPythonClient,
  startTcpProxy,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform, TcpProxy } from '../testing/index.ts';

/** No test takes longer, but one that hangs. */
const EACH = { timeout: 60_000 };
/** The first one makes a Python environment. */
const WITH_PYTHON = { timeout: 300_000 };
const FORMS = ['json', 'protobuf'] as const;
const utf8 = (text: string): Buffer => Buffer.from(text);
/** What a listener of the Protobuf form got, byte by byte. */
const bytesOf = ({ data }: { data: unknown[] }): string[] =>
  data.map((one) => Buffer.from(one as Uint8Array).toString('latin1'));

for (const runtime of RUNTIMES) {
  describe(`both forms of the protocol on ${runtime}`, { timeout: 600_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const ends: (() => void)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
    });
    after(() => backends.stop());
    afterEach(async () => {
      mock.restoreAll();
      for (const end of ends.splice(0)) end();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      const gateway = await startGateway({ runtime, platform });
      running.push(gateway);
      return gateway;
    };
    const client = async (gateways: { url: string }[], options: Parameters<typeof sdk>[2] = {}) => {
      const made = await sdk(platform, gateways, options);
      ends.push(() => made.disconnect());
      return made;
    };
    const proxyTo = async (gateway: GatewayProcess): Promise<TcpProxy & { url: string }> => {
      const proxy = await startTcpProxy(gateway.port);
      ends.push(() => proxy.close());
      return Object.assign(proxy, { url: `wss://localhost:${proxy.port}/connection/websocket` });
    };

    it('hear each other in one channel, each in its own', EACH, async () => {
      const gateway = await start();
      const ann = await connected(await client([gateway], { claims: { info: { name: 'Ann' } } }));
      const bob = await connected(await client([gateway], { user: 'bob', form: 'protobuf' }));
      const inJson = await listen(ann, 'chat:mixed');
      const inProtobuf = await listen(bob, 'chat:mixed');
      await publish(ann, 'chat:mixed', { text: 'ä😀' });
      await publish(bob, 'chat:mixed', utf8('{ "n":\n 1.0 }'));
      await publish(bob, 'chat:mixed', Buffer.from([0xff, 0x00, 0x0a]));
      await waitFor('all at both', () => inJson.data.length === 3 && inProtobuf.data.length === 3);
      assert.deepEqual(inJson.data, [{ text: 'ä😀' }, { n: 1 }, '/wAK']);
      assert.deepEqual(inJson.publications[2]?.tags, { 'data-encoding': 'base64' });
      const expected = [utf8('{"text":"ä😀"}').toString('latin1'), '{ "n":\n 1.0 }', '\xff\x00\n'];
      assert.deepEqual(bytesOf(inProtobuf), expected);
      const [first] = inProtobuf.publications;
      assert.equal(first?.info?.user, 'ann');
      assert.deepEqual(Buffer.from(first?.info?.connInfo as Uint8Array).toString(), '{"name":"Ann"}');
      const history = await bob.history('chat:mixed', { limit: 10 });
      assert.deepEqual(bytesOf({ data: history.publications.map(({ data }) => data as unknown) }), expected);
      assert.deepEqual(
        history.publications.map(({ offset }) => Number(offset)),
        [1, 2, 3],
      );
      const inBoth = await ann.history('chat:mixed', { limit: 10 });
      assert.deepEqual(
        inBoth.publications.map(({ data }) => data as unknown),
        inJson.data,
      );
    });

    it('get the same errors', EACH, async () => {
      const gateway = await start();
      for (const form of FORMS) {
        const ann = await connected(await client([gateway], { form }));
        const code = (expected: number) => (error: { code: number }) => error.code === expected;
        const data = form === 'json' ? 1 : utf8('1');
        await assert.rejects(ann.publish('other:room', data), code(102));
        await assert.rejects(
          ann.publish('chat:a', form === 'json' ? 'x'.repeat(40_000) : Buffer.alloc(40_000)),
          code(106),
        );
        await assert.rejects(ann.rpc('no such method', data), code(104));
        const left = new Promise<{ code: number }>((resolve) => ann.on('disconnected', resolve));
        await ann.send(data);
        assert.equal((await left).code, 3508, 'messages without a reply are read by nobody');
      }
    });

    it('recover what they missed while their gateway was gone', EACH, async () => {
      const leaving = await start();
      const staying = await start();
      const ann = await connected(await client([staying]));
      for (const form of FORMS) {
        await publish(ann, `chat:${form}`, 0);
        await waitFor('it is in Redis', async () => (await ann.history(`chat:${form}`)).offset === 1);
      }
      const heard = await Promise.all(
        FORMS.map(async (form) =>
          listen(await connected(await client([leaving, staying], { user: form, form })), `chat:${form}`),
        ),
      );
      await leaving.stop();
      for (const n of [1, 2, 3]) for (const form of FORMS) await publish(ann, `chat:${form}`, n);
      const [inJson, inProtobuf] = heard;
      assert.ok(inJson && inProtobuf);
      await waitFor('all of them', () => inJson.data.length >= 3 && inProtobuf.data.length >= 3);
      assert.deepEqual(inJson.data, [1, 2, 3]);
      assert.deepEqual(bytesOf(inProtobuf), ['1', '2', '3']);
    });

    it('are told apart by the subprotocol and by the query', EACH, async () => {
      const gateway = await start();
      // Protobuf: command 1, connect without a token.
      const connect = Buffer.from([4, 0x08, 1, 0x22, 0]);
      for (const [query, subprotocols, agreed] of [
        ['', ['centrifuge-protobuf'], 'centrifuge-protobuf'],
        ['', ['other', 'centrifuge-protobuf', 'centrifuge-json'], 'centrifuge-protobuf'],
        ['?format=protobuf', [], ''],
        ['?cf_protocol=protobuf', [], ''],
      ] as const) {
        const raw = await rawBinaryClient(platform, gateway, query, [...subprotocols]);
        assert.equal(raw.ws.protocol, agreed);
        raw.ws.send(connect);
        assert.deepEqual(await raw.closed, { code: 3500, reason: 'invalid token' }, query);
      }
      const json = await rawBinaryClient(platform, gateway, '', ['centrifuge-json']);
      assert.equal(json.ws.protocol, 'centrifuge-json');
      json.ws.send(connect);
      assert.equal((await json.closed).code, 3501);
    });

    it('are sent away for what is no command of theirs', EACH, async () => {
      const gateway = await start();
      const open = () => rawBinaryClient(platform, gateway, '', ['centrifuge-protobuf']);
      for (const frame of [
        '{"id":1,"connect":{}}',
        Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 8, 1]),
        Buffer.from([5, 8, 1]),
        Buffer.alloc(60_000, 0xff),
      ]) {
        const raw = await open();
        raw.ws.send(frame);
        assert.deepEqual(await raw.closed, { code: 3501, reason: 'bad request' });
      }
      const large = await open();
      large.ws.send(Buffer.alloc(70_000));
      assert.equal((await large.closed).code, 1009);
      assert.equal((await gateway.admin('/healthz')).status, 200);
    });

    it('go through the states of the SDK while their gateway goes and comes, backing off', EACH, async () => {
      const gateway = await start();
      for (const form of FORMS) {
        const proxy = await proxyTo(gateway);
        const attempts: number[] = [];
        const ca = readFileSync(platform.pki.caFile);
        class Timed extends WebSocket {
          constructor(_: string, protocols?: string | string[]) {
            attempts.push(performance.now());
            super(proxy.url, protocols, { ca });
          }
        }
        const ann = await client([], {
          form,
          websocket: Timed,
          minReconnectDelay: 20,
          maxReconnectDelay: 640,
        });
        const states: State[] = [ann.state];
        ann.on('state', ({ newState }) => states.push(newState));
        await connected(ann);
        // The SDK waits from `min` to `min × 2^n` before attempt n, at most `max`, by a random number ("full jitter").
        let random = 0.99;
        const mocked = mock.method(Math, 'random', () => random);
        proxy.cut();
        attempts.length = 0;
        await waitFor('eight attempts', () => attempts.length >= 8, { intervalMs: 5 });
        const longest = gapsOf(attempts);
        for (const [n, gap] of longest.entries()) {
          assert.ok(gap > 0.9 * Math.min(640, 20 * 2 ** n), `${gap} ms before attempt ${n + 1}`);
        }
        proxy.restore();
        await ann.ready(15_000);
        random = 0;
        proxy.cut();
        attempts.length = 0;
        await waitFor('eight attempts', () => attempts.length >= 8, { intervalMs: 5 });
        mocked.mock.restore();
        const total = (gaps: number[]): number => gaps.reduce((sum, gap) => sum + gap, 0);
        assert.ok(total(gapsOf(attempts)) < total(longest) / 1.5, 'a random part');
        proxy.restore();
        await ann.ready(15_000);
        proxy.cut();
        await waitFor('connecting again', () => ann.state === State.Connecting, { intervalMs: 5 });
        const already = attempts.length;
        await waitFor('an attempt', () => attempts.length > already, { intervalMs: 5 });
        ann.disconnect();
        await assertQuiet(ann, attempts);
        proxy.restore();
        ann.setToken('forged');
        const failed = new Promise<{ code: number }>((resolve) => ann.once('disconnected', resolve));
        ann.connect();
        assert.equal((await failed).code, 3500, 'a code that means: for good');
        await assertQuiet(ann, attempts);
        assert.equal(
          states.join(' '),
          'disconnected' + ' connecting connected'.repeat(3) + ' connecting disconnected'.repeat(2),
        );
      }
    });

    for (const form of FORMS) {
      it(`work with the Python SDK in ${form}`, WITH_PYTHON, async () => {
        const gateway = await start();
        const proxy = await proxyTo(gateway);
        const ann = await connected(await client([gateway], { form: form === 'json' ? 'protobuf' : 'json' }));
        const heard = await listen(ann, 'chat:snakes');
        const python = await startPythonClient({
          url: proxy.url,
          caFile: platform.pki.caFile,
          token: await token('monty'),
          form,
          channel: 'chat:snakes',
        });
        ends.push(() => python.kill());
        const said = (event: string) => python.events.filter((one) => one.event === event);
        await waitFor('its history', () => said('history').length === 1);
        await waitFor(
          'its publications, at both',
          () => heard.data.length === 3 && said('publication').length === 3,
        );
        const own = [1, 2, 3].map((n) => ({ n, text: 'ä' }));
        assert.deepEqual(said('history')[0], { event: 'history', data: own, offset: 3 });
        assert.deepEqual(
          said('publication').map(({ data, user }) => [data, user]),
          own.map((data) => [data, 'monty']),
        );
        proxy.cut();
        await waitFor('it noticed', () => said('connecting').length === 2);
        for (const n of [4, 5])
          await publish(ann, 'chat:snakes', form === 'json' ? utf8(`{"n":${n}}`) : { n });
        await waitFor('they are in history', async () => (await ann.history('chat:snakes')).offset === 5);
        proxy.restore();
        await waitFor('what it missed', () => said('publication').length >= 5);
        assert.deepEqual(
          said('publication')
            .slice(3)
            .map(({ data, offset }) => [data, offset]),
          [
            [{ n: 4 }, 4],
            [{ n: 5 }, 5],
          ],
        );
        assert.deepEqual(said('subscribed').at(-1), {
          event: 'subscribed',
          recovered: true,
          was_recovering: true,
        });
        const { code, errors } = await python.end();
        assert.equal(code, 0, errors);
        assert.equal(said('disconnected').length, 1);
      });
    }
  });
}

/** Milliseconds between attempts. */
function gapsOf(attempts: number[]): number[] {
  return attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
}

/** Nothing more is tried. That something does not happen only time can tell: longer than the longest wait. */
async function assertQuiet(client: Centrifuge, attempts: number[]): Promise<void> {
  const { length } = attempts;
  await delay(1_000);
  assert.equal(client.state, State.Disconnected);
  assert.equal(attempts.length, length, 'no more attempts');
}
