import { existsSync } from 'node:fs';
import { createProgress } from '../tools/index.ts';
import { cleanUp } from './cleanup.ts';
import { labDir } from './config.ts';
import { readState, writeState } from './state.ts';

/** Takes the lab down and removes every trace of it. No lab is no error. */
export async function down(): Promise<void> {
  const progress = createProgress();
  const state = readState();
  if (state) writeState({ ...state, phase: 'stopping' });
  const label = existsSync(labDir()) ? 'take the lab down' : 'look for leftovers of a lab';
  for (const note of await progress.step(label, cleanUp)) progress.note(note);
}
