import type { Place, Seen } from './history.ts';
import type { Losses } from './losses.ts';
import type { Places, Publication } from './publications.ts';
import type { Violation, ViolationKind } from './violation.ts';

type Subscribed = Extract<Seen, { kind: 'subscribed' }>;
type Delivered = Extract<Seen, { kind: 'delivered' }>;

/** What all subscribers of a channel are judged by. */
export interface Channel {
  name: string;
  publications: ReadonlyMap<string, Publication>;
  places: Places;
  losses: Losses;
  /** How many publications its history holds at least. */
  historySize: number;
}

/** From one moment at which a subscriber had nothing, or was told that it can't have what it missed, to the next. */
interface Life {
  /** Index in the history. */
  start: number;
  startedAt: Place;
  at: Place;
  /** Of the last delivery. */
  epoch: string | undefined;
  got: Set<string>;
  order: string[];
}

/** One subscriber of one channel: takes what it saw, in order, and says what it must not have seen. */
export class SubscriberView {
  readonly violations: Violation[] = [];
  /** What it got, in the order in which it came, of each life. */
  readonly orders: string[][] = [];
  readonly #name: string;
  readonly #channel: Channel;
  #life: Life | undefined;
  /** When it was last told where it stands, milliseconds. */
  #toldMs = 0;
  /** Whether what comes next is the first after "recovered". */
  #justRecovered = false;
  /** In which stream, and when, it got something: over all lives. */
  readonly #had = new Map<string, { epoch: string | undefined; ms: number }>();

  constructor(name: string, channel: Channel) {
    this.#name = name;
    this.#channel = channel;
  }

  subscribed(event: Subscribed, index: number): void {
    const life = this.#life;
    if (life && event.recovery === 'recovered') {
      if (differ(life.at.epoch, event.at.epoch))
        this.#found('epoch', undefined, `recovered from ${show(life.at)}, in ${show(event.at)}`);
      this.#justRecovered = true;
    } else {
      if (life && event.recovery === 'lost' && !this.#mayHaveLost(life, event, index)) {
        const detail = `at ${show(life.at)}: told at ${event.ms} ms that it can't have what it missed`;
        this.#found('needless', undefined, detail);
      }
      this.#begin(event, index);
    }
    this.#toldMs = event.ms;
  }

  delivered(event: Delivered, index: number): void {
    const life = this.#life;
    const { id, at } = event;
    if (!life) return this.#found('invented', id, 'delivered to one that was not subscribed');
    if (!this.#wasPublished(id, index)) return;
    if (life.got.has(id)) this.#found('doubled', id, `delivered again, at ${show(at)}`);
    else if (this.#cameBack(event)) this.#found('doubled', id, `delivered again in ${show(at)}`);
    this.#follow(life, event);
    life.got.add(id);
    life.order.push(id);
    this.#had.set(id, { epoch: at.epoch, ms: event.ms });
    life.at = { epoch: at.epoch ?? life.at.epoch, offset: at.offset };
    life.epoch = life.at.epoch;
    this.#justRecovered = false;
  }

  left(): void {
    this.#life = undefined;
  }

  /** The history is over, and there was time enough for all to come. */
  ended(): void {
    const life = this.#life;
    if (!life) return;
    const { places, publications, name } = this.#channel;
    const owed = [...publications.values()].filter(
      ({ channel, answer, invoked }) => channel === name && answer === 'acknowledged' && invoked > life.start,
    );
    const known = [...places.after(life.startedAt.epoch, life.startedAt.offset)]
      .map((id) => publications.get(id))
      .filter((one) => one?.channel === name && one.answer === 'acknowledged' && one.answered > life.start);
    for (const one of new Set([...owed, ...known])) {
      if (one && !life.got.has(one.id))
        this.#found('lost', one.id, `not delivered; it has up to ${show(life.at)}`);
    }
  }

  #begin({ at }: Subscribed, index: number): void {
    this.#life = { start: index, startedAt: at, at, epoch: undefined, got: new Set(), order: [] };
    this.orders.push(this.#life.order);
    this.#justRecovered = false;
  }

  #wasPublished(id: string, index: number): boolean {
    const publication = this.#channel.publications.get(id);
    if (!publication || publication.channel !== this.#channel.name || publication.invoked > index) {
      this.#found('invented', id, 'nobody had published it here');
      return false;
    }
    if (publication.answer === 'refused')
      this.#found('refused', id, 'its publisher was told that it is not taken');
    return true;
  }

  /** After the subscriber was told that it lost something, the end of what it had may come again from a stream that is mended. */
  #cameBack({ id, at, ms }: Delivered): boolean {
    const before = this.#had.get(id);
    if (!before) return false;
    return before.epoch === at.epoch && !this.#channel.losses.between(before.ms, ms);
  }

  /** Whether the place of a publication follows the one before it. */
  #follow(life: Life, { id, at, ms }: Delivered): void {
    const isMended = this.#channel.losses.between(this.#toldMs, ms);
    if (differ(life.at.epoch, at.epoch)) {
      if (!isMended)
        this.#found('epoch', id, `after ${show(life.at)} comes ${show(at)}, and no stream was lost`);
      this.#skipped(life, id, { from: 0, to: at, isMended });
    } else if (at.offset <= life.at.offset) {
      this.#found('reordered', id, `after ${show(life.at)} comes ${show(at)}`);
    } else {
      const to = { epoch: at.epoch ?? life.at.epoch, offset: at.offset };
      this.#skipped(life, id, { from: life.at.offset, to, isMended });
    }
  }

  /**
   * Places between two deliveries. In a stream that was rebuilt they may be what the subscriber had, or what was
   * published before it came; before the first that it gets there, nobody may know what they are.
   */
  #skipped(life: Life, id: string, step: { from: number; to: Place; isMended: boolean }): void {
    const { from, to, isMended } = step;
    for (let offset = from + 1; offset < to.offset; offset += 1) {
      const between = this.#channel.places.idAt(to.epoch, offset);
      const isExcused =
        between === undefined ? isMended && life.epoch !== to.epoch : this.#hadOrBefore(life, between);
      if (isExcused) continue;
      const detail = `comes at ${show(to)} after ${show(life.at)}, without ${between ?? 'what is'} at ${offset}`;
      this.#found(this.#justRecovered ? 'hole' : 'gap', id, detail);
      return;
    }
  }

  #hadOrBefore(life: Life, id: string): boolean {
    const publication = this.#channel.publications.get(id);
    return life.got.has(id) || (publication !== undefined && publication.invoked < life.start);
  }

  /** The stream was lost, or went on for longer than history is. */
  #mayHaveLost(life: Life, event: Subscribed, index: number): boolean {
    const { losses, publications, name, historySize } = this.#channel;
    if (losses.between(this.#toldMs, event.ms)) return true;
    let since = 0;
    for (const { id, channel, invoked } of publications.values())
      if (channel === name && invoked < index && !life.got.has(id)) since += 1;
    return since >= historySize;
  }

  #found(kind: ViolationKind, id: string | undefined, detail: string): void {
    const violation = { kind, channel: this.#channel.name, subscriber: this.#name, detail };
    this.violations.push(id === undefined ? violation : { ...violation, id });
  }
}

function differ(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

function show({ epoch, offset }: Place): string {
  return `${epoch ?? '?'}/${offset}`;
}
