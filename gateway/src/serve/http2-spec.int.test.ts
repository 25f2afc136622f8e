import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WEBSOCKET_PATH } from '@causeway/crds';
import { ensureBinary } from '../../../e2e/binaries/index.ts';
import { createTestPki, startRedis } from '../../../e2e/harness/index.ts';
import type { Redis, TestPki } from '../../../e2e/harness/index.ts';
import { CommandError, freePort, run } from '../../../e2e/tools/index.ts';
import { buildBundle, RUNTIMES, startGateway, testTopic } from '../testing/index.ts';
import type { GatewayProcess, Runtime } from '../testing/index.ts';

/**
 * h2spec asks for `GET`, which is answered by 405 at once; what it sends after the head then meets a closed stream. Such
 * frames may be ignored (RFC 9113, 5.1), and which of both comes first is a matter of time, so these may fail or not.
 */
const TOO_LATE = [
  'http2/5.1: half closed (remote): Sends a DATA frame',
  'http2/5.1: half closed (remote): Sends a HEADERS frame',
  'http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame',
  'http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'http2/5.1: closed: Sends a DATA frame',
  'http2/5.1: closed: Sends a HEADERS frame',
  // A stream that was never opened but is below one that was: the runtimes cannot tell it from a closed one.
  'http2/5.1.1: Sends stream identifier that is numerically smaller than previous',
  'http2/6.1: Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
  'http2/6.1: Sends a DATA frame with invalid pad length',
  'http2/6.9: Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream',
  'http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
  'http2/8.1: Sends a second HEADERS frame without the END_STREAM flag',
  'http2/8.1.2.1: Sends a HEADERS frame that contains a pseudo-header field as trailers',
  'http2/8.1.2.6: Sends a HEADERS frame with the "content-length" header field which does not equal the DATA frame payload length',
  'http2/8.1.2.6: Sends a HEADERS frame with the "content-length" header field which does not equal the sum of the multiple DATA frames payload length',
];

/** Both runtimes close the connection upon an answer to a PING that was not sent; h2spec wants it to be ignored. */
const ANSWER_TO_NOTHING = 'http2/6.7: Sends a PING frame with ACK';
/** Priorities are deprecated (RFC 9113, 5.3.2), and not read. */
const PRIORITY = 'http2/5.3.1: Sends PRIORITY frame that depend on itself';

/** Cases that fail: what the runtime does, and what no client of ours can lose by. All else passes, also if strict. */
const KNOWN: Record<Runtime, string[]> = {
  node: [ANSWER_TO_NOTHING, PRIORITY, 'http2/6.3: Sends a PRIORITY frame with 0x0 stream identifier'],
  bun: [
    ANSWER_TO_NOTHING,
    PRIORITY,
    'http2/5.3.1: Sends HEADERS frame that depend on itself',
    // It resets a stream that was never opened, or says nothing, where the connection should end.
    'http2/5.1: idle: Sends a DATA frame',
    'http2/5.1: idle: Sends a WINDOW_UPDATE frame',
    // A client that makes its window smaller gets up to the difference too much.
    'http2/6.9.2: Sends a SETTINGS frame for window size to be negative',
  ],
};

/** Times that a case must fail to count as failed. */
const LOOKS = 3;

/** Names of the cases, and whether each passed, of h2spec's report in JUnit's form. */
function casesOf(report: string): Map<string, boolean> {
  const cases = new Map<string, boolean>();
  const each = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g;
  for (const [, folder, name, result = ''] of report.matchAll(each))
    cases.set(`${folder}: ${name}`.replaceAll('&#34;', '"'), !/<(failure|error|skipped)>/.test(result));
  return cases;
}

for (const runtime of RUNTIMES) {
  describe(`h2spec and a gateway on ${runtime}`, { timeout: 300_000 }, () => {
    let redis: Redis;
    let pki: TestPki;
    let h2spec: string;
    let gateway: GatewayProcess;
    const folder = mkdtempSync(join(tmpdir(), 'causeway-h2spec-'));

    before(async () => {
      [redis, pki, h2spec] = await Promise.all([
        startRedis(),
        createTestPki(),
        ensureBinary('h2spec'),
        buildBundle(),
      ]);
      // No Kafka listens there: a gateway is ready without it.
      const brokers = [`127.0.0.1:${await freePort()}`];
      const platform = {
        name: 'p',
        pki,
        redisUrl: redis.url,
        brokers,
        topics: [testTopic('p', 'chat')],
      };
      gateway = await startGateway({ runtime, platform });
    });
    after(async () => {
      await gateway.stop();
      await redis.stop();
      pki.remove();
      rmSync(folder, { recursive: true });
    });

    /** All cases, and whether each passed. */
    const look = async (): Promise<Map<string, boolean>> => {
      const file = join(folder, 'report.xml');
      const to = ['-h', '127.0.0.1', '-p', String(gateway.port), '-P', WEBSOCKET_PATH, '-t', '-k'];
      const how = ['--strict', '--timeout', '2', '-j', file];
      await run(h2spec, [...to, ...how], { timeoutMs: 240_000 }).catch((error: unknown) => {
        // It exits 1 when a case has failed.
        if (!(error instanceof CommandError) || error.exitCode !== 1) throw error;
      });
      return casesOf(readFileSync(file, 'utf8'));
    };

    it('agree, but for what is known of the runtime', async () => {
      const known = new Set([...KNOWN[runtime], ...TOO_LATE]);
      let failed: string[] | undefined;
      // Each case waits for 2 s at most: one that fails is looked at again, and a fault of ours fails each time.
      for (let looks = 0; looks < LOOKS && failed?.length !== 0; looks += 1) {
        const cases = await look();
        assert.ok(cases.size > 140, `${cases.size} cases`);
        for (const name of known) assert.ok(cases.has(name), `there is no case ${name}`);
        const earlier = failed;
        failed = [...cases].flatMap(([name, passed]) =>
          passed || known.has(name) || earlier?.includes(name) === false ? [] : [name],
        );
      }
      assert.deepEqual(failed, []);
    });
  });
}
