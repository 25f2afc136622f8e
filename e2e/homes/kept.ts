/** What became of acknowledged writes to etcd: each is at home, or kept aside where it was made. */
import type { HomeNote, Noted, Write } from './history.ts';
import type { Violation } from './violation.ts';

/** Values of one zone, by key. */
type Entries = ReadonlyMap<string, string>;

const NOTHING: Entries = new Map();

/** The acknowledged writes to etcd that are neither at home nor kept aside, and those that are where they must not be. */
export function checkKept(events: readonly Noted[], writes: readonly Write[]): Violation[] {
  const ofEtcd = writes.filter(({ store }) => store === 'etcd');
  const homes = events.find((event) => event.kind === 'homes')?.homes ?? [];
  const home = stateOfHome(events);
  const byKey = Map.groupBy(ofEtcd, ({ key }) => key);
  return ofEtcd.flatMap((write) => {
    if (write.result !== 'acknowledged') return [];
    const others = (byKey.get(write.key) ?? []).filter((other) => other !== write);
    const isHere = home.get(write.key) === write.value;
    if (wentOver(write, homes)) {
      if (isHere || others.some((other) => mayReplace(other, write, homes))) return [];
      return [violation('lost', write, `it went over, and home has ${home.get(write.key) ?? 'nothing'}`)];
    }
    if (isHere) return [violation('merged', write, `only ${write.zone} had it, and home has it`)];
    const kept = keptAside(events, write);
    if (kept.includes(write.value) || others.some((other) => mayReplaceAlone(other, write, kept))) return [];
    return [violation('lost', write, `${write.zone} has kept ${kept.join(' and ') || 'nothing'} aside`)];
  });
}

function violation(kind: 'lost' | 'merged', { zone, value, key, ...write }: Write, what: string): Violation {
  const where = `${key} at revision ${write.revision} of epoch ${write.reign}`;
  return { kind, store: 'etcd', zone, value, detail: `${where}: ${what}` };
}

function stateOfHome(events: readonly Noted[]): Entries {
  const state = events.find((event) => event.kind === 'state' && event.store === 'etcd' && event.isHome);
  return state?.kind === 'state' ? state.entries : NOTHING;
}

/** What the zone has kept aside of the key: once for each time as home that it lost something of. */
function keptAside(events: readonly Noted[], { zone, key }: Write): string[] {
  return events.flatMap((event) => {
    const value = event.kind === 'aside' && event.zone === zone ? event.entries.get(key) : undefined;
    return value === undefined ? [] : [value];
  });
}

/** Whether the home after the one that took it says that it has it. A home that was given back to itself has all. */
function wentOver({ zone, reign, revision = 0n }: Write, homes: readonly HomeNote[]): boolean {
  const next = homes.find(
    (home) => home.epoch > Number(reign) && !(home.from === undefined && home.zone === zone),
  );
  if (next === undefined) return true;
  return next.from?.zone === zone && revision <= next.from.revision;
}

/** Whether `other` may have taken the place of `write` on the way to the present home. */
function mayReplace(other: Write, write: Write, homes: readonly HomeNote[]): boolean {
  if (other.result === 'refused') return false;
  if (other.result === 'unknown') return !(other.endedAt < write.invokedAt);
  return wentOver(other, homes) && isLater(other, write);
}

/** Whether `other` may have taken its place in the zone that had it alone, where only the last of each key is kept. */
function mayReplaceAlone(other: Write, write: Write, kept: readonly string[]): boolean {
  if (other.zone !== write.zone || other.result === 'refused') return false;
  if (other.result === 'unknown') return kept.includes(other.value) && !(other.endedAt < write.invokedAt);
  return other.reign === write.reign && isLater(other, write);
}

function isLater(other: Write, write: Write): boolean {
  const [a, b] = [Number(other.reign), Number(write.reign)];
  return a === b ? (other.revision ?? 0n) > (write.revision ?? 0n) : a > b;
}
