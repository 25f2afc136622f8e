import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { State } from 'centrifuge';
import type { Centrifuge } from 'centrifuge';
import { WebSocket } from 'ws';
import type { GatewayConfig } from '@causeway/crds';
import { waitFor } from '../../../e2e/tools/index.ts';
import {
  buildBundle,
  connected,
  RUNTIMES,
  sdk,
  startBackends,
  startGateway,
  startTcpProxy,
  token,
} from '../testing/index.ts';
import type { Backends, GatewayProcess, Platform, TcpProxy } from '../testing/index.ts';

/** No test takes longer, but one that hangs. */
const EACH = { timeout: 60_000 };
const MIN_MS = 40;
const MAX_MS = 640;
/** A timer may fire this much early, and a busy machine is late. */
const EARLY_MS = 5;
const LATE_MS = 400;

/** What a client went through: its states, with the code of each, in order. */
function stepsOf(client: Centrifuge): string[] {
  const steps: string[] = [client.state];
  client.on('connecting', ({ code }) => steps.push(`connecting ${code}`));
  client.on('connected', () => steps.push('connected'));
  client.on('disconnected', ({ code }) => steps.push(`disconnected ${code}`));
  return steps;
}

for (const runtime of RUNTIMES) {
  describe(`the SDK's reconnect, with a gateway on ${runtime}`, { timeout: 300_000 }, () => {
    let backends: Backends;
    let platform: Platform;
    const running: GatewayProcess[] = [];
    const ends: (() => void)[] = [];

    before(async () => {
      [backends] = await Promise.all([startBackends(), buildBundle()]);
      platform = await backends.platform();
    });
    after(() => backends.stop());
    afterEach(async () => {
      for (const end of ends.splice(0)) end();
      await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    });

    const start = async (config?: (config: GatewayConfig) => void): Promise<GatewayProcess> => {
      const gateway = await startGateway({ runtime, platform, ...(config && { config }) });
      running.push(gateway);
      return gateway;
    };
    const client = async (gateways: { url: string }[], options: Parameters<typeof sdk>[2] = {}) => {
      const made = await sdk(platform, gateways, {
        minReconnectDelay: MIN_MS,
        maxReconnectDelay: MAX_MS,
        ...options,
      });
      ends.push(() => made.disconnect());
      return made;
    };
    const proxyTo = async (gateway: GatewayProcess): Promise<TcpProxy & { url: string }> => {
      const proxy = await startTcpProxy(gateway.port);
      ends.push(() => proxy.close());
      return Object.assign(proxy, { url: `wss://localhost:${proxy.port}/connection/websocket` });
    };
    /** A WebSocket for the SDK that notes when it was made and when it ended. */
    const noted = (url: string) => {
      const ca = readFileSync(platform.pki.caFile);
      const sockets: (WebSocket & { madeAt: number; endedAt: number })[] = [];
      class Noted extends WebSocket {
        madeAt = performance.now();
        endedAt = Infinity;
        constructor(_: string, protocols?: string | string[]) {
          super(url, protocols, { ca });
          this.once('close', () => (this.endedAt = performance.now()));
          sockets.push(this);
        }
      }
      return { websocket: Noted, sockets };
    };

    it(
      'goes from idle over connecting to connected, back after a cut, and ends with a code for good',
      EACH,
      async () => {
        const gateway = await start();
        const proxy = await proxyTo(gateway);
        const ann = await client([proxy]);
        const steps = stepsOf(ann);
        await connected(ann);
        proxy.cut();
        await waitFor('noticed', () => ann.state === State.Connecting, { intervalMs: 5 });
        proxy.restore();
        await ann.ready(15_000);
        ann.setToken('forged');
        proxy.reset();
        await waitFor('given up', () => ann.state === State.Disconnected, { intervalMs: 5 });
        const expected = [
          'disconnected',
          'connecting 0',
          'connected',
          'connecting 1',
          'connected',
          'connecting 1',
          'disconnected 3500',
        ];
        assert.deepEqual(steps, expected);
      },
    );

    it(
      'waits longer with each attempt, by chance and within its bounds, each client on its own',
      EACH,
      async () => {
        const gateway = await start();
        const proxy = await proxyTo(gateway);
        const all = await Promise.all(
          Array.from({ length: 20 }, async () => {
            const { websocket, sockets } = noted(proxy.url);
            return { sockets, client: await connected(await client([], { websocket })) };
          }),
        );
        proxy.cut();
        await waitFor('seven attempts of each', () => all.every(({ sockets }) => sockets.length >= 8), {
          intervalMs: 5,
        });
        const waits = all.map(({ sockets }) =>
          sockets.slice(1, 8).map(({ madeAt }, index) => madeAt - (sockets[index]?.endedAt ?? 0)),
        );
        // Full jitter: attempt n comes after `min` and a random part of `min × 2^n`, at most `max`.
        for (const of of waits)
          for (const [n, wait] of of.entries()) {
            const most = Math.min(MAX_MS, MIN_MS + MIN_MS * 2 ** n);
            assert.ok(wait >= MIN_MS - EARLY_MS && wait <= most + LATE_MS, `${wait} ms before attempt ${n}`);
          }
        const mean = (n: number): number => waits.reduce((sum, of) => sum + (of[n] ?? 0), 0) / waits.length;
        assert.ok(mean(6) > 3 * mean(0), `from ${mean(0)} to ${mean(6)} ms`);
        const different = new Set(waits.map((of) => Math.round((of[5] ?? 0) / 10)));
        assert.ok(different.size >= 10, `clients wait differently: ${[...different].join(', ')}`);
        proxy.restore();
        await Promise.all(all.map(({ client: one }) => one.ready(15_000)));
        // Having been connected, it begins with short waits again.
        const attempts = all.map(({ sockets }) => sockets.length);
        proxy.reset();
        await waitFor('one more of each', () =>
          all.every(({ sockets }, index) => sockets.length > (attempts[index] ?? 0)),
        );
        for (const [index, { sockets }] of all.entries()) {
          const [last, next] = sockets.slice((attempts[index] ?? 0) - 1);
          const wait = (next?.madeAt ?? Infinity) - (last?.endedAt ?? 0);
          assert.ok(wait <= 2 * MIN_MS + LATE_MS, `${wait} ms before the first attempt`);
        }
      },
    );

    for (const [what, expected, config, misbehave] of [
      ['a server that doubts it is alive', 'connecting 3012', heartbeat, (ws) => swallow(ws, '{}')],
      ['a frame that is no command', 'disconnected 3501', undefined, (ws) => ws.send('nonsense')],
      // The SDK has a number of its own for the WebSocket close code 1009.
      ['a frame that is too large', 'disconnected 3', undefined, (ws) => ws.send('x'.repeat(1_100_000))],
    ] as [string, string, ((config: GatewayConfig) => void) | undefined, (ws: WebSocket) => void][]) {
      const isFinal = expected.startsWith('disconnected');
      it(`${isFinal ? 'does not come back' : 'comes back'} after ${what}`, EACH, async () => {
        const gateway = await start(config);
        const { websocket, sockets } = noted(gateway.url);
        const ann = await connected(await client([], { websocket }));
        const steps = stepsOf(ann);
        const [socket] = sockets;
        assert.ok(socket);
        misbehave(socket);
        await waitFor('its code', () => steps.length > 1, { intervalMs: 5 });
        assert.equal(steps[1], expected);
        if (isFinal) await assertEnded(ann, sockets);
        else await ann.ready(15_000);
      });
    }

    it('comes back to another gateway after the shutdown of its own', EACH, async () => {
      const [leaving, staying] = [await start(), await start()];
      const ann = await connected(await client([leaving, staying]));
      const steps = stepsOf(ann);
      leaving.signal('SIGTERM');
      await waitFor('elsewhere', () => steps.length >= 3);
      assert.deepEqual(steps, ['connected', 'connecting 3001', 'connected']);
    });

    it('renews its token and comes back when it could not be refreshed in time', EACH, async () => {
      const gateway = await start();
      const soon = await token('ann', { exp: Math.floor(Date.now() / 1000) + 1 });
      let fresh: ((token: string) => void) | undefined;
      const ann = await client([gateway], {
        token: soon,
        // The first time it takes longer than the gateway waits.
        getToken: () => (fresh ? token('ann') : new Promise((resolve) => (fresh = resolve))),
      });
      await connected(ann);
      const steps = stepsOf(ann);
      await waitFor('expired', () => steps.length > 1, { timeoutMs: 20_000 });
      assert.equal(steps[1], 'connecting 3005');
      fresh?.(await token('ann'));
      await waitFor('back', () => ann.state === State.Connected);
    });

    for (const when of ['waits for its next attempt', 'waits for the answer of a dead network'] as const) {
      it(
        `ends at once, with no timer and no socket left, when it is told to while it ${when}`,
        EACH,
        async () => {
          const gateway = await start();
          const proxy = await proxyTo(gateway);
          if (when === 'waits for its next attempt') proxy.cut();
          else proxy.stall();
          const { websocket, sockets } = noted(proxy.url);
          const ann = await client([], { websocket });
          ann.connect();
          const tried = when === 'waits for its next attempt' ? 2 : 1;
          await waitFor('trying', () => sockets.length >= tried, { intervalMs: 5 });
          ann.disconnect();
          assert.equal(ann.state, State.Disconnected);
          await assertEnded(ann, sockets);
          // A process that has nothing left to wait for ends by itself: no timer, no socket.
          const other = await endOfLonelyClient(proxy.url, platform.pki.caFile);
          assert.deepEqual(other, { code: 0, errors: '' });
        },
      );
    }
  });
}

function heartbeat(config: GatewayConfig): void {
  config.heartbeat = { intervalMs: 300, timeoutMs: 300 };
}

/** Sends nothing of what is `text`. */
function swallow(ws: WebSocket, text: string): void {
  const send = ws.send.bind(ws);
  ws.send = ((data: string) => (data === text ? undefined : send(data))) as typeof ws.send;
}

/** All its sockets are closed, and there are no more: that something does not happen only time can tell. */
async function assertEnded(client: Centrifuge, sockets: readonly WebSocket[]): Promise<void> {
  const closed = (): boolean => sockets.every(({ readyState }) => readyState === WebSocket.CLOSED);
  await waitFor('all closed', closed, { intervalMs: 5 });
  const { length } = sockets;
  await new Promise((resolve) => setTimeout(resolve, 2 * MAX_MS));
  assert.equal(client.state, State.Disconnected);
  assert.equal(sockets.length, length, 'no more attempts');
}

/** A client alone in a process, told to end in the middle of connecting. It must not wait for anything then. */
async function endOfLonelyClient(
  url: string,
  caFile: string,
): Promise<{ code: number | null; errors: string }> {
  const source = `
    import { readFileSync } from 'node:fs';
    import { Centrifuge } from 'centrifuge';
    import { WebSocket } from 'ws';
    const ca = readFileSync(${JSON.stringify(caFile)});
    class Trusting extends WebSocket {
      constructor(_, protocols) { super(${JSON.stringify(url)}, protocols, { ca }); }
    }
    const client = new Centrifuge('wss://x', { websocket: Trusting, token: 't', minReconnectDelay: 30_000, timeout: 30_000 });
    client.connect();
    setTimeout(() => client.disconnect(), 300);`;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', source], {
    cwd: join(import.meta.dirname, '..', '..'),
    stdio: ['ignore', 'ignore', 'pipe'],
    // Long before the SDK's own time-outs.
    timeout: 15_000,
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, errors };
}
