/** Clients with the Python SDK, as a program that says what it sees. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensurePython } from '../../../e2e/binaries/index.ts';

/** Pinned, so that a run of today is one of tomorrow. */
const PACKAGES = ['centrifuge-python==0.7.0', 'protobuf==7.36.2', 'websockets==17.4'];

export interface PythonClientOptions {
  url: string;
  /** File of the authority that the gateway's certificate is from. */
  caFile: string;
  token: string;
  form: 'json' | 'protobuf';
  channel: string;
}

export interface PythonClient {
  /** What it said: lines of JSON, see python-sdk.py. */
  readonly events: { event: string; [member: string]: unknown }[];
  /** Ends its standard input, upon which it disconnects; resolves to its exit code and what it wrote to standard error. */
  end(): Promise<{ code: number | null; errors: string }>;
  kill(): void;
}

/** Starts a client; needs Python 3.10 and, the first time, the package index. */
export async function startPythonClient(options: PythonClientOptions): Promise<PythonClient> {
  const python = await ensurePython(PACKAGES);
  const { url, caFile, token, form, channel } = options;
  const script = join(import.meta.dirname, 'python-sdk.py');
  const child = spawn(python, [script, url, caFile, token, form, channel]);
  const events: PythonClient['events'] = [];
  let partial = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (partial + chunk.toString()).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as PythonClient['events'][number]);
  });
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    events,
    async end() {
      child.stdin.end();
      return { code: await closed, errors };
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
