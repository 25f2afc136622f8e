/** Where a publication stands in a channel. */
export interface Place {
  /** Identity of the stream. Undefined: the observer cannot tell. */
  epoch: string | undefined;
  /** From 1. */
  offset: number;
}

/**
 * What a publisher was told. `refused`: that the publication is not taken, for good. `unknown`: an error that leaves
 * it open, or nothing.
 */
export type Answer = 'acknowledged' | 'refused' | 'unknown';

/**
 * What a subscriber was told of what it missed. `fresh`: it did not ask. `recovered`: it gets all of it. `lost`: it
 * can't have it.
 */
export type Recovery = 'fresh' | 'recovered' | 'lost';

/** One thing that somebody saw. */
export type HistoryEvent =
  | { kind: 'invoked'; id: string; channel: string }
  /** `note`: in what words, for those who read it. */
  | { kind: 'answered'; id: string; answer: Answer; note?: string }
  | { kind: 'subscribed'; subscriber: string; channel: string; recovery: Recovery; at: Place }
  | { kind: 'delivered'; subscriber: string; channel: string; id: string; at: Place }
  /** For good: nothing is owed to it any more. */
  | { kind: 'left'; subscriber: string; channel: string }
  /** Somebody who reads a channel's history found it there. */
  | { kind: 'stored'; channel: string; id: string; at: Place }
  /** From now until they are whole again the streams may lose what they have: Redis is killed or emptied. */
  | { kind: 'fault'; what: 'streams lost' | 'streams whole'; note: string };

/** An event and when it was seen, milliseconds since the history began. */
export type Seen = HistoryEvent & { ms: number };

/**
 * What was seen, in the order in which one process saw it: "before" is meant as in Jepsen's histories, where what ended
 * before something else began came before it.
 */
export class History {
  readonly events: Seen[] = [];
  readonly #now: () => number;
  readonly #began: number;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#began = now();
  }

  /** Notes an event. The one that is returned may still be told its place. */
  add<E extends HistoryEvent>(event: E): E & { ms: number } {
    const seen = { ...event, ms: Math.round(this.#now() - this.#began) };
    this.events.push(seen);
    return seen;
  }
}
