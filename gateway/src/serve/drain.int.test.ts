import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { Centrifuge } from 'centrifuge';
import { ADMIN_PATH } from '@causeway/crds';
import type { DrainState, GatewayConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  certificateFiles,
  connected,
  http2Client,
  listen,
  publish,
  rawClient,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Listener, Platform } from '../testing/index.ts';

/** No test takes longer, but one that hangs. */
const EACH = { timeout: 90_000 };
const CLIENTS = 40;
const PER_SECOND = 10;
/** So many that both of two gateways carry some. */
const ROOMS = 12;
const NOTICE_MS = 500;

for (const runtime of RUNTIMES) {
  describe(`a drain on request of a gateway on ${runtime}`, { timeout: 600_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const ends: (() => void)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const end of ends.splice(0)) end();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (
      options: { drain?: string; ready?: boolean; config?: (config: GatewayConfig) => void } = {},
    ): Promise<GatewayProcess> => {
      if (running.length === 0) platform = await backends.platform();
      const gateway = await startGateway({
        runtime,
        platform,
        ...options,
        config: (config) => {
          config.drain.noticeMs = NOTICE_MS;
          options.config?.(config);
        },
      });
      running.push(gateway);
      return gateway;
    };
    const client = async (gateways: GatewayProcess[], user: string): Promise<Centrifuge> => {
      const made = await sdk(platform, gateways, { user });
      ends.push(() => made.disconnect());
      return connected(made);
    };
    const ready = async (gateway: GatewayProcess): Promise<boolean> =>
      (await gateway.admin(ADMIN_PATH.readyz)).status === 200;
    const reached = async (gateway: GatewayProcess, phase: DrainState['phase']): Promise<DrainState> => {
      let state: DrainState | undefined;
      await waitFor(phase, async () => (state = await gateway.drain()).phase === phase, { intervalMs: 20 });
      return state as DrainState;
    };

    /** Subscribers that begin on the gateway that is to be emptied. */
    const subscribers = async (
      gateways: GatewayProcess[],
    ): Promise<{ heard: Listener[]; moves: { code: number; at: number }[] }> => {
      const moves: { code: number; at: number }[] = [];
      const heard = [];
      for (let n = 0; n < CLIENTS; n++) {
        const one = await client(gateways, `user ${n}`);
        one.on('connecting', ({ code }) => moves.push({ code, at: Date.now() }));
        heard.push(await listen(one, `chat:room${n % 4}`));
      }
      return { heard, moves };
    };

    it('moves subscribers at its rate, with no publication lost or doubled', EACH, async () => {
      const [leaving, staying] = [await start(), await start()];
      const { heard, moves } = await subscribers([leaving, staying]);
      assert.deepEqual(
        await leaving.drain(),
        { phase: 'Serving', connections: CLIENTS, sent: 0 },
        'as it is when nobody asks',
      );
      const ann = await client([staying], 'ann');
      const published = [0, 0, 0, 0];
      const publishOne = async (): Promise<void> => {
        const room = published.indexOf(Math.min(...published));
        await publish(ann, `chat:room${room}`, published[room] ?? 0);
        published[room] = (published[room] ?? 0) + 1;
      };
      await publishOne();
      leaving.annotateDrain(String(PER_SECOND));
      const noticing = await reached(leaving, 'Noticing');
      assert.deepEqual([noticing.atStart, noticing.sent, noticing.perSecond], [CLIENTS, 0, PER_SECOND]);
      const { status, body } = await leaving.admin(ADMIN_PATH.readyz);
      assert.deepEqual([status, /asked for it to be empty/.test(body)], [503, true]);
      assert.equal(await leaving.metric('causeway_gateway_draining'), 1);
      const progress: number[] = [];
      let state = noticing;
      await waitFor(
        'drained',
        async () => {
          await publishOne();
          state = await leaving.drain();
          progress.push(state.sent);
          return state.phase === 'Drained';
        },
        { intervalMs: 5, timeoutMs: 30_000 },
      );
      await publishOne();
      assert.deepEqual(
        progress,
        [...progress].sort((a, b) => a - b),
        'progress only rises',
      );
      assert.ok(new Set(progress).size >= CLIENTS / 2, `few steps were seen: ${progress.join(' ')}`);
      assert.equal(state.connections, 0);
      assert.ok(state.sent >= CLIENTS);
      const seconds = (Date.parse(state.endedAt ?? '') - Date.parse(state.startedAt ?? '')) / 1000;
      const least = (CLIENTS - 1) / PER_SECOND;
      assert.ok(seconds > least && seconds < least + 5, `${seconds} s`);
      for (const [n, listener] of heard.entries()) {
        const all = Array.from({ length: published[n % 4] ?? 0 }, (_, i) => i);
        await waitFor('all of them', () => listener.data.length >= all.length);
        assert.deepEqual(listener.data, all);
      }
      assert.deepEqual(
        moves.map(({ code }) => code),
        Array.from({ length: CLIENTS }, () => 3001),
        'each was sent away once, and told so',
      );
      // A slow machine makes us hear of it late, and never early: the nth leaves in its slot, or after it.
      const begin = Date.parse(noticing.startedAt ?? '') + NOTICE_MS;
      for (const [n, { at }] of moves.entries()) {
        const slot = begin + (n / PER_SECOND) * 1000;
        // Clocks have whole milliseconds.
        assert.ok(at >= slot - 2, `the ${n}th was sent away ${slot - at} ms early`);
      }
      assert.equal(await staying.metric('causeway_gateway_connections'), CLIENTS + 1);
      const { body: metrics } = await leaving.admin(ADMIN_PATH.metrics);
      assert.match(metrics, new RegExp(`causeway_gateway_drain_sent_total\\{kind="client"\\} ${CLIENTS}\n`));
    });

    it('goes on at another rate, and is taken back: ready again, and nobody leaves', EACH, async () => {
      const gateway = await start();
      const { moves } = await subscribers([gateway]);
      gateway.annotateDrain('0.5');
      await reached(gateway, 'Draining');
      gateway.annotateDrain('20');
      await waitFor('the new rate', async () => (await gateway.drain()).sent >= 5);
      assert.equal((await gateway.drain()).perSecond, 20);
      gateway.annotateDrain(undefined);
      await waitFor('ready', () => ready(gateway));
      const state = await gateway.drain();
      assert.deepEqual([state.phase, state.sent], ['Serving', 0]);
      assert.ok(moves.length < CLIENTS, 'it was taken back in the middle');
      await waitFor(
        'all are back',
        async () => (await gateway.metric('causeway_gateway_connections')) === CLIENTS,
      );
      assert.equal(await gateway.metric('causeway_gateway_draining'), 0);
      const said = gateway.logs.map(({ message }) => message);
      for (const line of [
        'drain asked for',
        'drain goes on at another rate',
        'drain taken back: serving again',
      ])
        assert.ok(said.includes(line), line);
    });

    it('says once what is wrong with a rate, and serves', EACH, async () => {
      const gateway = await start();
      gateway.annotateDrain('soon');
      const said = (): number =>
        gateway.logs.filter(({ problem }) => String(problem).includes('clients per second')).length;
      await waitFor('a word', () => said() === 1);
      await client([gateway], 'ann');
      assert.equal(await ready(gateway), true);
      gateway.annotateDrain('100');
      await reached(gateway, 'Drained');
      assert.equal(said(), 1);
    });

    it(
      'asks those over HTTP/2 by GOAWAY to open nothing more, and sends them away one by one',
      EACH,
      async () => {
        const gateway = await start();
        const http2 = await http2Client(platform, gateway);
        ends.push(() => http2.session.destroy());
        const raws = [];
        for (let n = 0; n < 5; n++) {
          const raw = await http2.open();
          raw.send({ id: 1, connect: { token: await token(`user ${n}`) } });
          await waitFor('connected', () => raw.lines.length === 1, { intervalMs: 10 });
          raws.push(raw);
        }
        const left: number[] = [];
        const ended = raws.map(async ({ closed }) => {
          left.push((await closed).code);
        });
        const goAway = once(http2.session, 'goaway');
        gateway.annotateDrain('5');
        assert.equal((await goAway)[0], 0);
        assert.ok(left.length < 5, 'the others are still there');
        await Promise.all(ended);
        assert.deepEqual(left, [3001, 3001, 3001, 3001, 3001]);
        await http2.closed;
        const { sent } = await reached(gateway, 'Drained');
        assert.equal(sent, 5);
      },
    );

    it('gives newcomers their handshake, and sends them away at once with the code', EACH, async () => {
      const gateway = await start();
      gateway.annotateDrain('100');
      await reached(gateway, 'Drained');
      const newcomer = await rawClient(platform, gateway);
      assert.deepEqual(await newcomer.closed, { code: 3001, reason: 'shutdown' });
      assert.deepEqual(newcomer.lines, []);
      const http2 = await http2Client(platform, gateway);
      ends.push(() => http2.session.destroy());
      const { closed } = await http2.open();
      assert.deepEqual(await closed, { code: 3001, reason: 'shutdown' });
      await http2.closed;
      assert.deepEqual(
        [(await gateway.drain()).sent, (await gateway.drain()).connections],
        [2, 0],
        'they count, and leave nothing',
      );
      const { body } = await gateway.admin(ADMIN_PATH.metrics);
      assert.match(body, /causeway_gateway_drain_sent_total\{kind="newcomer"\} 2\n/);
      assert.match(body, /causeway_gateway_connections\{transport="http\/1.1"[^}]*\} 0\n/);
    });

    it('does not disturb a rotation: the pod shows another certificate when it is told', EACH, async () => {
      const gateway = await start();
      gateway.annotateDrain('100');
      await reached(gateway, 'Drained');
      gateway.tls.write({
        ...(await certificateFiles(platform.pki, 2)),
        'ca.crt': readFileSync(platform.pki.caFile),
        current: '2',
      });
      const fingerprint = async (): Promise<string> => {
        await waitFor('version 2', async () => (await gateway.certificate()).version === 2);
        return (await gateway.certificate()).fingerprint;
      };
      const served = await fingerprint();
      const ca = readFileSync(platform.pki.caFile);
      const socket = connectTls({ port: gateway.port, host: '127.0.0.1', servername: 'localhost', ca });
      ends.push(() => socket.destroy());
      await new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      });
      const shown = socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();
      assert.equal(shown, served);
      const { completed } = (await gateway.certificate()).handshakes.since;
      assert.ok(completed >= 1);
    });

    it('outlives a restart: never ready, and no client is taken', EACH, async () => {
      const gateway = await start({ drain: '5', ready: false });
      await waitFor('it listens', () => gateway.logs.some(({ message }) => message === 'listening'));
      const { phase, atStart } = await gateway.drain();
      assert.deepEqual([phase, atStart], ['Drained', 0]);
      assert.deepEqual((await (await rawClient(platform, gateway)).closed).code, 3001);
      await waitFor('only the drain is left', async () => {
        const { status, body } = await gateway.admin(ADMIN_PATH.readyz);
        assert.equal(status, 503);
        return body.split('\n').length === 2;
      });
      gateway.annotateDrain(undefined);
      await waitFor('ready', () => ready(gateway));
      await client([gateway], 'ann');
    });

    it('becomes one of SIGTERM in the middle, by the rules of that', EACH, async () => {
      const leaving = await start({
        config: (config) => (config.drain = { perSecond: 100, timeoutMs: 3_000, noticeMs: 200 }),
      });
      const staying = await start();
      const { heard, moves } = await subscribers([leaving, staying]);
      const ann = await client([staying], 'ann');
      await publish(ann, 'chat:room0', 0);
      leaving.annotateDrain('0.1');
      await reached(leaving, 'Draining');
      leaving.signal('SIGTERM');
      assert.equal(await leaving.exited, 0);
      await publish(ann, 'chat:room0', 1);
      const first = heard[0] as Listener;
      await waitFor('both', () => first.data.length >= 2);
      assert.deepEqual(first.data, [0, 1]);
      assert.deepEqual(
        moves.slice(0, CLIENTS).map(({ code }) => code),
        Array.from({ length: CLIENTS }, () => 3001),
      );
      assert.equal(await staying.metric('causeway_gateway_connections'), CLIENTS + 1);
    });

    it('of one that ends hands on what it carries before its clients', EACH, async () => {
      const leaving = await start({
        config: (config) => (config.drain = { perSecond: 1, timeoutMs: 60_000, noticeMs: 0 }),
      });
      const staying = await start();
      for (let n = 0; n < CLIENTS; n++) await client([leaving, staying], `user ${n}`);
      const ann = await client([staying], 'ann');
      /** Publishes in all rooms, and returns how many of these the one that ends has carried. */
      const carriedOf = async (): Promise<number> => {
        const had = await leaving.metric('causeway_gateway_carried_total');
        for (let room = 0; room < ROOMS; room++) await publish(ann, `chat:room${room}`, room);
        return (await leaving.metric('causeway_gateway_carried_total')) - had;
      };
      await waitFor('it carries its share', async () => (await carriedOf()) > 0);
      leaving.signal('SIGTERM');
      await waitFor('others carry it', async () => (await carriedOf()) === 0, { timeoutMs: 20_000 });
      const { connections } = await leaving.drain();
      assert.ok(connections >= CLIENTS / 2, `${connections} of ${CLIENTS} clients are left`);
    });

    it('is refused to nobody who was acknowledged: publishers move too', EACH, async () => {
      const [leaving, staying] = [await start(), await start()];
      const publishers = await Promise.all(
        Array.from({ length: 8 }, (_, n) => client([leaving, staying], `writer ${n}`)),
      );
      const heard = await listen(await client([staying], 'reader'), 'chat:all');
      const acknowledged: string[] = [];
      const over = new AbortController();
      const writing = publishers.map(async (writer, n) => {
        for (let i = 0; !over.signal.aborted; i++) {
          const data = `${n}-${i}`;
          const isDone = await writer.publish('chat:all', data).then(
            () => true,
            // Not acknowledged: it may be there or not.
            () => false,
          );
          if (isDone) acknowledged.push(data);
          else await writer.ready(15_000);
        }
      });
      leaving.annotateDrain('4');
      await reached(leaving, 'Drained');
      over.abort();
      await Promise.all(writing);
      await waitFor('all of them', () => acknowledged.every((data) => heard.data.includes(data)));
      assert.equal(new Set(heard.data).size, heard.data.length, 'nothing twice');
      assert.ok(acknowledged.length > 100);
    });

    it('sends those away too who have shown no token', EACH, async () => {
      const gateway = await start();
      const silent = await rawClient(platform, gateway);
      const known = await rawClient(platform, gateway);
      known.send({ id: 1, connect: { token: await token('ann') } });
      await waitFor('connected', () => known.lines.length === 1);
      gateway.annotateDrain('100');
      assert.deepEqual([(await silent.closed).code, (await known.closed).code], [3001, 3001]);
    });
  });
}
