import type { Answer, HistoryEvent, Place } from './history.ts';
import type { Violation } from './violation.ts';

/** A publication's life, as its publisher saw it. Times are indices of the history. */
export interface Publication {
  id: string;
  channel: string;
  invoked: number;
  /** Infinity: it never got an answer. */
  answered: number;
  answer: Answer;
}

/** All publications of a history, by id. Throws on a history that is none: an id that is used twice. */
export function publicationsOf(events: readonly HistoryEvent[]): Map<string, Publication> {
  const found = new Map<string, Publication>();
  for (const [index, event] of events.entries()) {
    if (event.kind === 'invoked') {
      if (found.has(event.id)) throw new Error(`two publications are named ${event.id}`);
      const { id, channel } = event;
      found.set(id, { id, channel, invoked: index, answered: Infinity, answer: 'unknown' });
    } else if (event.kind === 'answered') {
      const publication = found.get(event.id);
      if (!publication) throw new Error(`${event.id} was answered and never published`);
      Object.assign(publication, { answered: index, answer: event.answer });
    }
  }
  return found;
}

/** What stands where in one channel, by all who saw it. */
export class Places {
  readonly #ids = new Map<string, Map<number, string>>();
  readonly #offsets = new Map<string, Map<string, number>>();

  get epochs(): Iterable<string> {
    return this.#ids.keys();
  }

  idAt(epoch: string | undefined, offset: number): string | undefined {
    return epoch === undefined ? undefined : this.#ids.get(epoch)?.get(offset);
  }

  /** All that is known of an epoch, by offset. */
  sequence(epoch: string): string[] {
    return [...(this.#ids.get(epoch) ?? [])].sort(([a], [b]) => a - b).map(([, id]) => id);
  }

  /** Everything in `epoch` after `offset`. */
  *after(epoch: string | undefined, offset: number): Iterable<string> {
    if (epoch === undefined) return;
    for (const [at, id] of this.#ids.get(epoch) ?? []) if (at > offset) yield id;
  }

  /** Notes where a publication was seen; says what can't be. */
  note(channel: string, id: string, { epoch, offset }: Place): Violation | undefined {
    if (epoch === undefined) return undefined;
    const ids = entry(this.#ids, epoch);
    const offsets = entry(this.#offsets, epoch);
    const [there, before] = [ids.get(offset), offsets.get(id)];
    ids.set(offset, there ?? id);
    offsets.set(id, before ?? offset);
    const where = `${epoch}/${offset}`;
    if (there !== undefined && there !== id)
      return { kind: 'inconsistent', channel, id, detail: `${where} is ${there} for others` };
    if (before !== undefined && before !== offset)
      return { kind: 'doubled', channel, id, detail: `in one stream at ${before} and at ${where}` };
    return undefined;
  }
}

function entry<K, A, B>(map: Map<K, Map<A, B>>, key: K): Map<A, B> {
  let found = map.get(key);
  if (!found) map.set(key, (found = new Map()));
  return found;
}

/** The places of each channel, and what contradicts itself there. */
export function placesOf(events: readonly HistoryEvent[]): {
  places: Map<string, Places>;
  violations: Violation[];
} {
  const places = new Map<string, Places>();
  const violations: Violation[] = [];
  for (const event of events) {
    if (event.kind !== 'delivered' && event.kind !== 'stored') continue;
    const known = places.get(event.channel) ?? new Places();
    places.set(event.channel, known);
    const violation = known.note(event.channel, event.id, event.at);
    if (violation) violations.push(violation);
  }
  return { places, violations };
}
