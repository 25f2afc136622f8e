/** What becomes of the gateway's links when Redis goes; on both runtimes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe, it } from 'node:test';
import { startRedis } from '../../../e2e/harness/index.ts';
import { bundle, PROGRAM, RUNTIMES, startTcpProxy } from '../testing/index.ts';
import type { LinksCommand, LinksOutcome, Runtime } from '../testing/index.ts';
import { within } from './within.ts';

/** As long as Redis may say nothing, a ping, and what a busy machine takes; milliseconds. */
const BACK_MS = 9_000;

const folder = mkdtempSync(join(tmpdir(), 'causeway-links-'));
const ends: (() => void | Promise<void>)[] = [];

before(() => bundle(join(import.meta.dirname, '..', 'testing', 'redis-links.ts'), folder));
after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The program in redis-links.ts. */
class Links {
  readonly #child: ChildProcess;
  readonly #outcomes: AsyncIterator<string>;

  constructor(runtime: Runtime, url: string) {
    const child = spawn(PROGRAM[runtime], [join(folder, 'main.js'), url], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    ends.push(() => void child.kill('SIGKILL'));
    this.#child = child;
    this.#outcomes = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async do(command: LinksCommand): Promise<LinksOutcome> {
    this.#child.stdin?.write(`${command}\n`);
    const { value, done } = await this.#outcomes.next();
    if (done) throw new Error('the program ended');
    return JSON.parse(value) as LinksOutcome;
  }
}

for (const runtime of RUNTIMES) {
  describe(`links to Redis on ${runtime}`, { timeout: 60_000 }, () => {
    it('are given up when it says nothing, while they are written to', async () => {
      const redis = await startRedis();
      ends.push(() => redis.stop());
      const proxy = await startTcpProxy(redis.port);
      ends.push(() => proxy.close());
      const links = new Links(runtime, `redis://127.0.0.1:${proxy.port}`);
      assert.equal((await links.do('write')).error, undefined);
      await links.do('chatter');
      proxy.lose();
      // This one waits for its answer until the connection is given up.
      await within(BACK_MS, 'the end of the connection', links.do('write'));
      assert.equal((await links.do('write')).error, undefined);
    });
  });
}
