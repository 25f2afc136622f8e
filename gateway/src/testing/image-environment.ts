import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCKERFILE = join(import.meta.dirname, '..', '..', 'Dockerfile');

/** The environment variables that the gateway's image of `runtime` sets, so that tests and benchmarks run what users do. */
export function imageEnvironment(runtime: 'node' | 'bun'): Record<string, string> {
  const stages = readFileSync(DOCKERFILE, 'utf8').split(/^FROM .* AS /m);
  const stage = stages.find((text) => text.startsWith(`${runtime}\n`));
  if (stage === undefined) throw new Error(`${DOCKERFILE} has no stage ${runtime}`);
  return Object.fromEntries(
    [...stage.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}
