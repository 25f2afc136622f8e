/** The program in echo.ts, bundled as the gateway is, on Node or on Bun. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { bundle, PROGRAM } from './gateway-process.ts';
import type { Runtime } from './gateway-process.ts';

export interface EchoProcess {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts it, on a free port. */
export async function startEcho(runtime: Runtime, pki: TestPki): Promise<EchoProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-echo-'));
  try {
    await bundle(join(import.meta.dirname, 'echo.ts'), folder);
    const { certFile, keyFile } = await pki.issue('echo', ['localhost', '127.0.0.1']);
    const child = spawn(PROGRAM[runtime], [join(folder, 'main.js'), certFile, keyFile], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      ended.then(([code]) => Promise.reject(new Error(`the echo ended with ${String(code)}`))),
    ])) as [string];
    return {
      port: Number(line),
      async stop() {
        child.kill('SIGKILL');
        await ended;
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
