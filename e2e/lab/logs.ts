import { existsSync, readdirSync } from 'node:fs';
import { ensureBinary } from '../binaries/index.ts';
import { run } from '../tools/index.ts';
import { paths } from './config.ts';
import { logFile } from './daemon.ts';
import { requireState } from './state.ts';

/** The last lines of a host process's log (`kubelet-node-a`) or a pod's (`namespace/pod`). No name: what there is. */
export async function logs(name: string | undefined, lines: number): Promise<string> {
  requireState();
  const files = readdirSync(paths.logs()).map((file) => file.replace(/\.log$/, ''));
  if (!name) return `${files.toSorted().join('\n')}\n\nOr a pod: namespace/pod`;
  if (existsSync(logFile(name))) return (await run('tail', ['-n', String(lines), logFile(name)])).stdout;
  const [namespace, pod] = name.split('/');
  if (!namespace || !pod)
    throw new Error(`No log "${name}". There are ${files.join(', ')}; or a pod as namespace/pod.`);
  const args = [
    '--kubeconfig',
    paths.kubeconfig(),
    '-n',
    namespace,
    'logs',
    pod,
    '--all-containers',
    `--tail=${lines}`,
  ];
  return (await run(await ensureBinary('kubectl'), args)).stdout;
}
