/** Durations as options. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '@causeway/crds';

/** A duration that is kept as it was written, once it is one. `example`: another one, for whoever wrote none. */
export function durationText(example: string): (text: string) => string {
  return (text) => {
    durationMs(example)(text);
    return text;
  };
}

/** A duration in milliseconds. */
export function durationMs(example: string): (text: string) => number {
  return (text) => {
    try {
      return parseDuration(text);
    } catch {
      throw new InvalidArgumentError(`write a duration such as 90s or ${example}.`);
    }
  };
}
