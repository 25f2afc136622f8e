/** New connections: TLS 1.3 full or resumed, the WebSocket upgrade and the connect command. */
import type { Kind, Stage } from './contestants.ts';
import { timesOf, type Times } from './figures.ts';
import { announce, withCpu, withRig, type Cpu } from './rig.ts';

/** One way of connecting, at full speed. */
export interface HandshakeRun {
  contestant: string;
  run: number;
  way: 'full' | 'resumed';
  made: number;
  failed: number;
  /** Of those that were made. */
  resumed: number;
  seconds: number;
  cpu: Cpu;
  times: Times;
}

/** Both ways, one after the other. */
export async function measureHandshakes(
  stage: Stage,
  kind: Kind,
  options: { run: number; seconds: number; concurrency: number },
): Promise<HandshakeRun[]> {
  const { run, seconds, concurrency } = options;
  const contestant = announce('handshakes', kind, run);
  return withRig(stage, kind, async (rig) => {
    const runs: HandshakeRun[] = [];
    const { address } = rig.contestant;
    for (const way of ['full', 'resumed'] as const) {
      const order = { address, seconds, concurrency, resumed: way === 'resumed' };
      const { cpu, result } = await withCpu(rig, () => rig.load.run('handshakes', order));
      const { made, failed, resumed, times } = result;
      runs.push({
        contestant,
        run,
        way,
        made,
        failed,
        resumed,
        seconds: result.seconds,
        cpu,
        times: timesOf(times),
      });
      console.error(
        `  ${way}: ${Math.round(made / result.seconds)}/s, ${resumed} of ${made} resumed, ${failed} failed, ` +
          `${((cpu.server / made) * 1000).toFixed(2)} ms of CPU each`,
      );
    }
    return runs;
  });
}
