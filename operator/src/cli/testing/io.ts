/** An outside for commands under test, which keeps what they say. */
import type { Io } from '../io.ts';
import type { Terminal } from './terminal.ts';

/** What a person would have seen. */
export interface TestIo extends Io {
  readonly stdout: string;
  readonly stderr: string;
}

/** A pipe without colours, unless `terminal` is given. */
export function testIo(given: { stdin?: string; terminal?: Terminal; now?: number } = {}): TestIo {
  let stdout = '';
  let stderr = '';
  return {
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    out: (text) => {
      stdout += text;
      given.terminal?.write(text);
    },
    err: (text) => {
      stderr += text;
      given.terminal?.write(text);
    },
    stdin: async () => given.stdin ?? '',
    now: () => given.now ?? Date.now(),
    terminal: given.terminal,
    colour: false,
  };
}
