/** A client of a stream without a transport: keeps what it was told as an application would. */
import type { WatchRequest, WatchResponse } from '../message.ts';
import { responseToJson } from '../message.ts';
import type { Position } from '../position.ts';
import { STREAM_LIMITS, SyncStream } from '../stream.ts';
import type { Outlet, StreamServices } from '../stream.ts';
import { Gate } from '../gate.ts';
import type { Feed } from '../feed.ts';
import type { SyncFailure } from '../failure.ts';

interface Message {
  kind: 'KIND_SNAPSHOT' | 'KIND_CHANGES' | 'KIND_PROGRESS';
  events?: { key: string; value: string; prev_value?: string; mod_revision: string; is_deleted: boolean }[];
  position?: { rev: string; epoch: string };
}

/** What a stream of a test may differ in. */
export interface FollowOptions {
  prefixes?: string[];
  from?: Position | undefined;
  expiresAt?: number;
  limits?: Partial<StreamServices['limits']>;
  /** How long the client takes for a message, milliseconds; it must not, for `Infinity`. */
  stuck?: boolean;
}

/** An application's copy of some keys, and where it is. */
export class Follower {
  /** Keys and values that are whole at {@link position}. */
  readonly state = new Map<string, string>();
  readonly messages: Message[] = [];
  position: Position | undefined;
  #pending: Message[] = [];
  #stream: SyncStream | undefined;
  #closed = false;
  #ended: Promise<SyncFailure | undefined> = Promise.resolve(undefined);

  /** Begins a stream, from `options.from`, else from where it is. */
  follow(feed: Feed, options: FollowOptions = {}): this {
    const from = 'from' in options ? options.from : this.position;
    if (from === undefined) this.state.clear();
    this.#pending = [];
    this.#closed = false;
    const request: WatchRequest = {
      prefixes: [],
      from: from && { revision: from.revision, epoch: from.epoch },
    };
    this.#stream = new SyncStream(
      {
        feed,
        snapshots: new Gate(2),
        catchUps: new Gate(2),
        events: { sent: () => undefined },
        limits: { ...STREAM_LIMITS, ...options.limits },
      },
      {
        request,
        prefixes: options.prefixes ?? feed.prefixes,
        expiresAt: options.expiresAt,
        outlet: this.#outlet(options.stuck ?? false),
      },
    );
    this.#ended = this.#stream.run().then(
      () => undefined,
      (error: unknown) => error as SyncFailure,
    );
    return this;
  }

  /** Resolves with why the stream ended. */
  get ended(): Promise<SyncFailure | undefined> {
    return this.#ended;
  }

  /** The client goes. What was told in part is forgotten. */
  async leave(): Promise<void> {
    this.#closed = true;
    await this.#ended;
  }

  /** Messages of a kind. */
  count(kind: Message['kind']): number {
    return this.messages.filter((message) => message.kind === kind).length;
  }

  #outlet(stuck: boolean): Outlet {
    const closed = (): boolean => this.#closed;
    let waiting = 0;
    return {
      form: 'test',
      encode: (response: WatchResponse) => Buffer.from(responseToJson(response)),
      get waiting() {
        return waiting;
      },
      get closed() {
        return closed();
      },
      drained: () => (stuck ? new Promise<void>(() => undefined) : Promise.resolve()),
      write: (bytes) => {
        if (stuck) waiting += bytes.length;
        else this.#take(JSON.parse(bytes.toString()) as Message);
      },
    };
  }

  #take(message: Message): void {
    this.messages.push(message);
    this.#pending.push(message);
    if (!message.position) return;
    for (const { events = [] } of this.#pending) for (const event of events) this.#apply(event);
    this.#pending = [];
    this.position = { revision: BigInt(message.position.rev), epoch: Number(message.position.epoch) };
  }

  #apply({ key, value, is_deleted: deleted }: NonNullable<Message['events']>[number]): void {
    const name = Buffer.from(key, 'base64').toString();
    if (deleted) this.state.delete(name);
    else this.state.set(name, Buffer.from(value, 'base64').toString());
  }
}
