import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WEBSOCKET_PATH } from '@causeway/crds';
import { createTestPki } from '../../../e2e/harness/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { GOOD_VERDICTS, partsOf, runAutobahn, RUNTIMES, startEcho, verdictOf } from '../testing/index.ts';
import type { EchoProcess } from '../testing/index.ts';

/**
 * Cases by part: framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, large messages, and fragments of
 * 1 KB. 8 is empty, 11 is not there, and 12 and 13 are about compression, which is never negotiated.
 */
const CASES: Readonly<Record<number, number>> = {
  1: 16,
  2: 11,
  3: 7,
  4: 10,
  5: 20,
  6: 145,
  7: 37,
  9: 54,
  10: 1,
};
const TIMEOUT_MS = 400_000;

for (const runtime of RUNTIMES) {
  describe(`the Autobahn suite and a port on ${runtime}`, () => {
    let pki: TestPki;
    let echo: EchoProcess;

    before(async () => {
      pki = await createTestPki();
      echo = await startEcho(runtime, pki);
    });

    after(async () => {
      await echo?.stop();
      pki?.remove();
    });

    it('agree in every case', async (test) => {
      const url = `wss://127.0.0.1:${echo.port}${WEBSOCKET_PATH}`;
      const patterns = Object.keys(CASES).map((part) => `${part}.*`);
      const cases = await runAutobahn(url, patterns, TIMEOUT_MS);
      const parts = partsOf(cases);
      for (const { part, verdicts } of parts) test.diagnostic(`part ${part}: ${JSON.stringify(verdicts)}`);
      assert.deepEqual(Object.fromEntries(parts.map((part) => [part.part, part.cases])), CASES);
      const bad = cases.filter((one) => !GOOD_VERDICTS.includes(verdictOf(one)));
      assert.deepEqual(bad, []);
    });
  });
}
