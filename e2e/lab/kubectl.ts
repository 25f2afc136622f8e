import { ensureBinary } from '../binaries/index.ts';
import { run } from '../tools/index.ts';
import { paths } from './config.ts';

/** Runs kubectl against the lab and returns its output. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const command = await ensureBinary('kubectl');
  const all = ['--kubeconfig', paths.kubeconfig(), '--request-timeout=20s', ...args];
  const { stdout } = await run(command, all, {
    timeoutMs: 120_000,
    ...(input === undefined ? {} : { input }),
  });
  return stdout;
}

/** `kubectl … -o json`, parsed. */
export async function kubectlJson<T>(args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl([...args, '-o', 'json'])) as T;
}
