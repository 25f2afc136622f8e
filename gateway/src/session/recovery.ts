import type { StreamEntry, StreamSnapshot } from '../channels/index.ts';
import type {
  HistoryRequest,
  HistoryResult,
  StoredPublication,
  StreamPosition,
  SubscribeResult,
} from '../protocol/index.ts';

/** Most bytes of publications in one reply: a reply must fit into the output buffer of its connection. */
const MAX_REPLY_BYTES = 512 * 1024;

/** The answer to a subscribe command. */
export interface Recovery {
  result: SubscribeResult;
  missed: StoredPublication[];
}

/** The answer to a subscriber that cannot recover: where the stream is. */
export function positionOf({ epoch, offset }: StreamSnapshot): Recovery {
  return { result: { epoch, offset }, missed: [] };
}

/**
 * What a subscriber gets that has everything up to `from` (undefined: it starts now). `snapshot` was read after that
 * offset. Recovered means exactly what it missed, in order; else nothing, and it must load its state anew.
 */
export function recoveryOf(snapshot: StreamSnapshot, from: StreamPosition | undefined): Recovery {
  const { epoch, offset, entries } = snapshot;
  const result: SubscribeResult = { recoverable: true, positioned: true, epoch, offset };
  if (!from) return { result, missed: [] };
  result.was_recovering = true;
  if (!isWhole(snapshot, from) || sizeOf(entries) > MAX_REPLY_BYTES) return { result, missed: [] };
  // The position that it recovers from: each publication that follows moves it.
  return { result: { ...result, offset: from.offset, recovered: true }, missed: entries };
}

/**
 * For recoveries that go into one reply: those for whose publications there is no more room are not recovered. Changes
 * them.
 */
export function fitIntoReply(recoveries: Recovery[]): void {
  let size = 0;
  for (const recovery of recoveries) {
    const more = sizeOf(recovery.missed);
    if (size + more <= MAX_REPLY_BYTES) size += more;
    else giveUp(recovery);
  }
}

function giveUp(recovery: Recovery): void {
  const last = recovery.missed.at(-1);
  recovery.missed = [];
  delete recovery.result.recovered;
  if (last) recovery.result.offset = last.offset;
}

/** Whether the entries are all that came after `from`, up to the end. */
function isWhole({ epoch, offset, entries }: StreamSnapshot, from: StreamPosition): boolean {
  if (from.epoch !== '' && from.epoch !== epoch) return false;
  if (from.offset > offset) return false;
  if (entries.length !== offset - from.offset) return false;
  return entries.every((entry, index) => entry.offset === from.offset + 1 + index);
}

/** The answer to a history command; undefined if the stream no longer reaches back to where it begins. */
export function historyOf(
  snapshot: StreamSnapshot,
  { since, reverse, limit }: HistoryRequest,
): { result: HistoryResult; publications: StoredPublication[] } | undefined {
  const { epoch, offset, entries } = snapshot;
  if (since && since.epoch !== '' && since.epoch !== epoch) return undefined;
  const first = entries[0];
  const missing = first ? first.offset > (since?.offset ?? 0) + 1 : (since?.offset ?? 0) < offset;
  if (since && !reverse && limit !== 0 && missing) return undefined;
  return { result: { epoch, offset }, publications: fitting(entries) };
}

function sizeOf(entries: StoredPublication[]): number {
  return entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
}

/** About what it takes in a reply; base64, where it is that in the JSON form. */
function bytesOf({ data, info }: StoredPublication): number {
  return Buffer.byteLength(data.text) + Buffer.byteLength(info);
}

/** The first ones, as many as a reply holds; the client asks on from the last that it got. */
function fitting(entries: StreamEntry[]): StreamEntry[] {
  let size = 0;
  const end = entries.findIndex((entry) => (size += bytesOf(entry)) > MAX_REPLY_BYTES);
  return end === -1 ? entries : entries.slice(0, end);
}
