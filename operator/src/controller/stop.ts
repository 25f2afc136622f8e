/** A graceful stop: the first SIGTERM or SIGINT asks, the second one doesn't wait. */
import type { Logger } from './log.ts';

export interface StopOptions {
  log?: Logger;
  signals?: readonly NodeJS.Signals[];
  /** What the second signal does. Default: end the process with code 128 + the signal's number. */
  onSecond?: (exitCode: number) => void;
}

const NUMBERS: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGTERM: 15 };

/** A signal that aborts when the process is asked to stop; `dispose` takes the handlers away again. */
export function stopOnSignals(options: StopOptions = {}): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController();
  const onSecond = options.onSecond ?? ((code: number) => process.exit(code));
  const handle = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      options.log?.warn('asked to stop again: stopping at once', { signal: name });
      onSecond(128 + (NUMBERS[name] ?? 0));
      return;
    }
    options.log?.info('stopping', { signal: name });
    controller.abort(new Error(`stopped by ${name}`));
  };
  const signals = options.signals ?? ['SIGTERM', 'SIGINT'];
  for (const name of signals) process.on(name, handle);
  const dispose = (): void => {
    for (const name of signals) process.off(name, handle);
  };
  return { signal: controller.signal, dispose };
}
