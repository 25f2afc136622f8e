/** Reads off what `causeway rotate` prints when each stage began. Pure. */

/** Seconds after the request at which each stage was first seen. */
export type Stages = Record<string, number>;

/** From lines such as `   0.5 s  Canary     Certificate …`. */
export function stagesOf(printed: string): Stages {
  const stages: Stages = {};
  for (const line of printed.split('\n')) {
    const [, seconds, stage] = /^\s*(\d+\.\d) s {2}([A-Z][A-Za-z]+) /.exec(line) ?? [];
    if (seconds !== undefined && stage !== undefined) stages[stage] ??= Number(seconds);
  }
  return stages;
}
