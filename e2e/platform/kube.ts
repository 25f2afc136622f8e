import { spawn, type ChildProcess } from 'node:child_process';
import { ensureBinary } from '../binaries/index.ts';
import { run } from '../tools/index.ts';

/** A cluster that a kubeconfig leads to, through kubectl. */
export class Kube {
  readonly kubeconfig: string;

  constructor(kubeconfig: string) {
    this.kubeconfig = kubeconfig;
  }

  /** Runs kubectl and returns its output. Throws with the end of its error output. */
  async kubectl(
    args: readonly string[],
    options: { input?: string; timeoutMs?: number } = {},
  ): Promise<string> {
    const { stdout } = await run(await ensureBinary('kubectl'), [...args], {
      env: { KUBECONFIG: this.kubeconfig },
      timeoutMs: options.timeoutMs ?? 120_000,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    return stdout;
  }

  /** `kubectl … -o json`, parsed. */
  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl([...args, '-o', 'json'])) as T;
  }

  /** Like {@link json}; undefined when it is not there. */
  async find<T>(args: readonly string[]): Promise<T | undefined> {
    const text = await this.kubectl([...args, '--ignore-not-found', '-o', 'json']);
    return text.trim() === '' ? undefined : (JSON.parse(text) as T);
  }

  /** Runs helm. */
  async helm(args: readonly string[]): Promise<string> {
    const { stdout } = await run(await ensureBinary('helm'), [...args], {
      env: { KUBECONFIG: this.kubeconfig },
      timeoutMs: 300_000,
    });
    return stdout;
  }

  /** A port on loopback that leads to a pod's port, for clusters whose pods this machine cannot reach. */
  async forward(namespace: string, pod: string, port: number): Promise<{ port: number; stop(): void }> {
    const child = spawn(
      await ensureBinary('kubectl'),
      ['-n', namespace, 'port-forward', `pod/${pod}`, `:${port}`],
      {
        env: { ...process.env, KUBECONFIG: this.kubeconfig },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const local = await forwardedPort(child);
    return { port: local, stop: () => void child.kill() };
  }
}

function forwardedPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      const port = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`kubectl port-forward ended with ${code}: ${text.trim()}`)));
  });
}
