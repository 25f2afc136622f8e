/** One watch on one gRPC stream: fragments, progress on request, pause and resume. */
import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3';
import type { KeyRange, RevisionedChange } from './changes.ts';
import { isOwnKey } from './changes.ts';

/** What to watch. */
export interface WatchRequest {
  range: KeyRange;
  /** First revision that is delivered. */
  startRevision: bigint;
  /** Ask for the value before each change too, which costs etcd a read for each. */
  previous?: boolean;
  /** Deliver changes of Causeway's own keys too. */
  ownKeys?: boolean;
}

/** What a watch tells. After `ended` it tells no more. */
export interface WatchHandlers {
  /** Events, in order; without Causeway's own keys unless asked for. `more`: a fragment, the last revision may go on. */
  events(events: RevisionedChange[], more: boolean, header: WatchHeader): void;
  /** All events up to `revision` have been delivered. */
  progress(revision: bigint, header: WatchHeader): void;
  /** The watch is over: the stream broke, or etcd ended it. */
  ended(error: Error): void;
}

/** Where the answering etcd stands. */
export interface WatchHeader {
  clusterId: string;
  revision: bigint;
}

/** etcd no longer has the revisions from which the watch was to start. */
export class WatchCompactedError extends Error {
  override name = 'WatchCompactedError';
  /** The first revision that is still there. */
  readonly compactRevision: bigint;
  constructor(compactRevision: bigint) {
    super(`the source is compacted up to revision ${compactRevision}`);
    this.compactRevision = compactRevision;
  }
}

/** A watch that runs. */
export interface Watch {
  /** Asks for a progress notification. etcd answers only when the watch has caught up. Not while one is awaited. */
  askProgress(): void;
  /** Stops and goes on reading: what isn't read stays at the server. */
  setPaused(paused: boolean): void;
  readonly paused: boolean;
  /** When something was last heard, milliseconds of `Date.now()`. */
  readonly heardAt: number;
  close(): void;
}

/** The watch id of answers to a progress request, which are about the whole stream (InvalidWatchID in etcd). */
const STREAM_WATCH_ID = '-1';
/** A progress request that wasn't answered is asked again after this many milliseconds. */
const ASK_AGAIN_MS = 50;

type Stream = IDuplexStream<IWatchRequest, IWatchResponse> & { pause(): unknown; resume(): unknown };

/** Starts a watch on a stream that nothing else uses. */
export function openWatch(
  stream: IDuplexStream<IWatchRequest, IWatchResponse>,
  request: WatchRequest,
  handlers: WatchHandlers,
): Watch {
  const watch = new StreamWatch(stream as Stream, handlers);
  watch.start(request);
  return watch;
}

class StreamWatch implements Watch {
  readonly #stream: Stream;
  readonly #handlers: WatchHandlers;
  #created = false;
  #ended = false;
  #paused = false;
  #askedAt: number | undefined;
  #ownKeys = false;
  heardAt = Date.now();

  constructor(stream: Stream, handlers: WatchHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
  }

  start({ range, startRevision, previous = false, ownKeys = false }: WatchRequest): void {
    this.#ownKeys = ownKeys;
    this.#stream.on('data', (response: IWatchResponse) => this.#receive(response));
    this.#stream.on('error', (error: Error) => this.#end(error));
    this.#stream.on('end', () => this.#end(new Error('the source ended the watch stream')));
    this.#stream.write({
      create_request: {
        key: range.start,
        range_end: range.end,
        start_revision: startRevision.toString(),
        fragment: true,
        prev_kv: previous,
      },
    });
  }

  askProgress(): void {
    const now = Date.now();
    if (!this.#created || this.#ended || this.#paused) return;
    if (this.#askedAt !== undefined && now - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = now;
    this.#stream.write({ progress_request: {} });
  }

  setPaused(paused: boolean): void {
    if (paused === this.#paused || this.#ended) return;
    this.#paused = paused;
    // Silence while paused isn't the server's.
    this.heardAt = Date.now();
    if (paused) this.#stream.pause();
    else this.#stream.resume();
  }

  get paused(): boolean {
    return this.#paused;
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.cancel();
  }

  #receive(response: IWatchResponse): void {
    if (this.#ended) return;
    this.heardAt = Date.now();
    try {
      this.#dispatch(response);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #dispatch(response: IWatchResponse): void {
    if (response.canceled) return this.#end(canceled(response));
    if (response.created) {
      this.#created = true;
      return;
    }
    const header = {
      clusterId: response.header.cluster_id,
      revision: BigInt(response.header.revision),
    };
    if (response.events.length > 0) {
      const events = response.events.filter(({ kv }) => this.#ownKeys || !isOwnKey(kv.key));
      this.#handlers.events(events.map(toChange), response.fragment, header);
    } else if (!response.fragment) {
      if (response.watch_id === STREAM_WATCH_ID) this.#askedAt = undefined;
      this.#handlers.progress(header.revision, header);
    }
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.close();
    this.#handlers.ended(error);
  }
}

function toChange({ type, kv, prev_kv: before }: IWatchResponse['events'][number]): RevisionedChange {
  const value = type === 'Delete' ? undefined : kv.value;
  // Not asked for, or the key is new, or etcd no longer has it: then it is not there, or a key without revisions.
  const previous = before && before.mod_revision !== '0' ? before.value : undefined;
  return { key: kv.key, value, revision: BigInt(kv.mod_revision), ...(previous && { previous }) };
}

function canceled(response: IWatchResponse): Error {
  if (response.compact_revision !== '0') return new WatchCompactedError(BigInt(response.compact_revision));
  return new Error(`the source canceled the watch: ${response.cancel_reason || 'no reason given'}`);
}
