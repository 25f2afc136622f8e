/** Keeps the books of a load: what was sent, acknowledged, received where, lost, twice, out of order. */

/** What each message carries. */
export interface Message {
  id: number;
  zone: string;
  channel: string;
}

interface Entry {
  sentAt: number;
  acknowledged: boolean;
  /** Zones that got it. */
  got: Set<string>;
}

/** All counts but times. A message is lost for a zone when it was acknowledged and did not arrive there. */
export interface Counts {
  sent: number;
  acknowledged: number;
  failed: number;
  failure?: string;
  received: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

export class Tally {
  readonly #zones: readonly string[];
  readonly acknowledgements: number[] = [];
  readonly #latencies = new Map<string, number[]>();
  readonly #entries = new Map<number, Entry>();
  /** Last id by receiving zone, sending zone and channel: each publisher's messages of a channel keep their order. */
  readonly #last = new Map<string, number>();
  #nextId = 0;
  /** Messages below this one are of the warm-up. */
  #firstId = 0;
  #counts = { failed: 0, received: 0, duplicated: 0, outOfOrder: 0 };
  #failure: string | undefined;
  /** Answers and arrivals that are still to come. */
  #open = 0;

  constructor(zones: readonly string[]) {
    this.#zones = zones;
  }

  /** Forgets what was so far; what of it still arrives does not count. */
  restart(): void {
    this.acknowledgements.length = 0;
    this.#latencies.clear();
    this.#entries.clear();
    this.#firstId = this.#nextId;
    this.#counts = { failed: 0, received: 0, duplicated: 0, outOfOrder: 0 };
    this.#failure = undefined;
    this.#open = 0;
  }

  sent(zone: string, channel: string, at: number): Message {
    const id = this.#nextId++;
    this.#entries.set(id, { sentAt: at, acknowledged: false, got: new Set() });
    this.#open += 1 + this.#zones.length;
    return { id, zone, channel };
  }

  acknowledged({ id }: Message, at: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.acknowledged = true;
    this.#open -= 1;
    this.acknowledgements.push(at - entry.sentAt);
  }

  failed({ id }: Message, error: unknown): void {
    if (id < this.#firstId) return;
    this.#counts.failed += 1;
    this.#failure ??= error instanceof Error ? error.message : String(error);
    // It may have gone out all the same, but nobody waits for it.
    this.#open -= 1 + this.#zones.length;
  }

  received(zone: string, { id, zone: from, channel }: Message, at: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (entry.got.has(zone)) {
      this.#counts.duplicated += 1;
      return;
    }
    entry.got.add(zone);
    this.#open -= 1;
    this.#counts.received += 1;
    const order = `${zone} ${from} ${channel}`;
    if ((this.#last.get(order) ?? -1) > id) this.#counts.outOfOrder += 1;
    this.#last.set(order, id);
    const pair = `${from} ${zone}`;
    const values = this.#latencies.get(pair);
    if (values === undefined) this.#latencies.set(pair, [at - entry.sentAt]);
    else values.push(at - entry.sentAt);
  }

  /** Everything that was sent is answered and has arrived everywhere. */
  get complete(): boolean {
    return this.#open <= 0;
  }

  counts(): Counts {
    const entries = [...this.#entries.values()];
    const acknowledged = entries.filter((entry) => entry.acknowledged);
    const lost = acknowledged.reduce((sum, entry) => sum + this.#zones.length - entry.got.size, 0);
    return {
      sent: entries.length,
      acknowledged: acknowledged.length,
      ...this.#counts,
      lost,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  /** Times from publish to receipt for each pair of zones. */
  pairs(): { from: string; to: string; values: number[] }[] {
    return [...this.#latencies].map(([pair, values]) => {
      const [from = '', to = ''] = pair.split(' ');
      return { from, to, values };
    });
  }
}
