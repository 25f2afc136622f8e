/** Where progress lines go. One line for each step, with its time. */
export interface Progress {
  /** Runs a step and prints its label and time when it ends. */
  step<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** Prints one line with the time since the start. */
  note(text: string): void;
}

/** Milliseconds as a person reads them: `0.4 s`, `12 s`, `3 min 05 s`. */
export function formatElapsed(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (Math.round(seconds) < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** When anything was last said here: what goes on inside a step may speak for it. */
let lastLine = 0;

function line(text: string): void {
  lastLine = performance.now();
  process.stderr.write(`${text}\n`);
}

/** How often a step looks whether to say that it goes on, and how long it leaves the word to others; milliseconds. */
const HEARTBEAT = 10_000;
const SILENCE = 16_000;

/**
 * Runs something that may be long: silent when it ends within two seconds, else a line at two seconds,
 * one every `everyMs` after that, and one at the end, on standard error.
 */
export async function withProgress<T>(label: string, work: () => Promise<T>, everyMs = 15_000): Promise<T> {
  const start = performance.now();
  const elapsed = (): string => formatElapsed(performance.now() - start);
  let spoke = false;
  let timer = setTimeout(function tick() {
    line(spoke ? `${label}: ${elapsed()} so far` : `${label} …`);
    spoke = true;
    timer = setTimeout(tick, everyMs);
  }, 2000);
  try {
    const result = await work();
    if (spoke) line(`${label}: done in ${elapsed()}`);
    return result;
  } catch (error) {
    if (spoke) line(`${label}: failed after ${elapsed()}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Progress of a whole verb (`up`, `down`): each step's line has its own time and the time since the start. */
export function createProgress(quiet = false): Progress {
  const start = performance.now();
  const say = (mark: string, label: string, since: number): void => {
    if (quiet) return;
    const total = formatElapsed(performance.now() - start).padStart(11);
    line(`${total}  ${mark} ${label} (${formatElapsed(performance.now() - since)})`);
  };
  return {
    async step(label, work) {
      const began = performance.now();
      let spoke = false;
      const waiting = setInterval(() => {
        if (spoke && performance.now() - lastLine < SILENCE) return;
        spoke = true;
        say('…', label, began);
      }, HEARTBEAT);
      try {
        const result = await work();
        say('✓', label, began);
        return result;
      } catch (error) {
        say('✗', label, began);
        throw error;
      } finally {
        clearInterval(waiting);
      }
    },
    note(text) {
      if (!quiet) line(`${formatElapsed(performance.now() - start).padStart(11)}  ${text}`);
    },
  };
}
