/** The journal of a crowd, as the load generator writes it (journal.go says what its lines mean), read. Pure. */
import type { Answer, Recovery, Seen } from '../../deliveries/index.ts';

/** Of one client: what became of its connections. Times in milliseconds since the journal began. */
export interface ClientStory {
  name: string;
  /** Empty: a publisher. */
  channel: string;
  /** From which port of ours it was connected since when. */
  connected: { ms: number; port: number }[];
  lost: { ms: number; note: string }[];
  /** Attempts to connect that failed. */
  failed: { ms: number; note: string }[];
  /** `ms`: when the server had answered. */
  subscribed: { ms: number; recovery: Recovery }[];
  delivered: { ms: number; id: string }[];
  /** The server sent it away for good. */
  ended?: string;
}

/** All of one run. */
export interface Journal {
  /** Milliseconds since the Unix epoch at which it began. */
  beganAt: number;
  clients: ReadonlyMap<string, ClientStory>;
  /** When each publication was sent. */
  invoked: ReadonlyMap<string, number>;
  /** When each was acknowledged. */
  acknowledged: ReadonlyMap<string, number>;
  /** What was seen of each channel, in order. */
  channels: ReadonlyMap<string, readonly Seen[]>;
}

const RECOVERY: Readonly<Record<string, Recovery>> = { f: 'fresh', r: 'recovered', l: 'lost' };
const ANSWER: Readonly<Record<string, Answer>> = { a: 'acknowledged', r: 'refused', u: 'unknown' };

/** Reads a journal. Throws on a line that it does not know. */
export function readJournal(text: string): Journal {
  const reader = new Reader();
  for (const line of text.split('\n')) if (line !== '') reader.take(line);
  return reader;
}

class Reader implements Journal {
  beganAt = Number.NaN;
  readonly clients = new Map<string, ClientStory>();
  readonly invoked = new Map<string, number>();
  readonly acknowledged = new Map<string, number>();
  readonly channels = new Map<string, Seen[]>();
  readonly #channelOf = new Map<string, string>();
  readonly #epochs = new Map<string, string>();

  take(line: string): void {
    const [kind = '', first = '', name = '', ...words] = line.split(' ');
    const ms = Number(first);
    if (!Number.isFinite(ms)) throw new Error(`a journal has no such line: ${line}`);
    if (kind === 'b') this.beganAt = ms;
    else if (kind === 'i') this.#invoked(ms, name, words[0] ?? '');
    else if (ANSWER[kind] !== undefined) this.#answered(ms, name, { answer: ANSWER[kind], words });
    else this.#ofClient(kind, { ms, name, words });
  }

  #invoked(ms: number, id: string, channel: string): void {
    this.invoked.set(id, ms);
    this.#channelOf.set(id, channel);
    this.#note(channel, { kind: 'invoked', id, channel, ms });
  }

  #answered(ms: number, id: string, { answer, words }: { answer: Answer; words: readonly string[] }): void {
    if (answer === 'acknowledged') this.acknowledged.set(id, ms);
    const note = words.length === 0 ? {} : { note: words.join(' ') };
    this.#note(this.#channelOf.get(id) ?? '', { kind: 'answered', id, answer, ...note, ms });
  }

  #ofClient(kind: string, { ms, name, words }: { ms: number; name: string; words: readonly string[] }): void {
    const story = this.#story(name);
    const note = words.join(' ');
    switch (kind) {
      case 'c':
        return void story.connected.push({ ms, port: Number(words[0]) });
      case 'l':
        return void story.lost.push({ ms, note });
      case 'f':
        return void story.failed.push({ ms, note });
      case 's':
        return this.#subscribed(story, ms, words);
      case 'd':
        return this.#delivered(story, ms, words);
      case 'x':
        story.ended = note;
        return this.#note(story.channel, { kind: 'left', subscriber: name, channel: story.channel, ms });
      default:
        throw new Error(`a journal has no events of the kind ${kind}`);
    }
  }

  #subscribed(story: ClientStory, ms: number, words: readonly string[]): void {
    const [channel = '', short = '', offset, epoch = ''] = words;
    const recovery = RECOVERY[short] ?? 'fresh';
    story.channel = channel;
    story.subscribed.push({ ms, recovery });
    this.#epochs.set(story.name, epoch);
    const at = { epoch, offset: Number(offset) };
    this.#note(channel, { kind: 'subscribed', subscriber: story.name, channel, recovery, at, ms });
  }

  #delivered(story: ClientStory, ms: number, words: readonly string[]): void {
    const { name: subscriber, channel } = story;
    const [offset, id = '', other] = words;
    if (other !== undefined) this.#epochs.set(subscriber, other);
    story.delivered.push({ ms, id });
    const at = { epoch: this.#epochs.get(subscriber), offset: Number(offset) };
    this.#note(channel, { kind: 'delivered', subscriber, channel, id, at, ms });
  }

  #story(name: string): ClientStory {
    const found = this.clients.get(name);
    if (found !== undefined) return found;
    const story = { name, channel: '', connected: [], lost: [], failed: [], subscribed: [], delivered: [] };
    this.clients.set(name, story);
    return story;
  }

  #note(channel: string, event: Seen): void {
    const events = this.channels.get(channel);
    if (events === undefined) this.channels.set(channel, [event]);
    else events.push(event);
  }
}
