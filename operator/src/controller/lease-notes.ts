/**
 * What processes tell each other in the annotations of a Lease: in which zone the holder is, and who, in a better one, asks to lead
 * in its place. They are hints: no process may act, or must stop, because of them. An earlier version keeps what it finds
 * there, so each note names the process that it is about. Pure.
 */
import type { KubeObject, ObjectMeta } from './kube-api.ts';

const ZONE = 'causeway.dev/zone';
const ASKED_BY = 'causeway.dev/asked-by';

/** A process, and the zone that it is in. */
export interface PlacedProcess {
  identity: string;
  zone: string;
}

/** A process that asks to lead. */
export interface Ask extends PlacedProcess {
  /** When, RFC 3339, by its own clock: nobody judges it. It makes each ask a change of the Lease. */
  at: string;
}

/** The zone of `holder`, as it wrote it itself; undefined when it wrote none. */
export function zoneOfHolder({ metadata }: KubeObject, holder: string | undefined): string | undefined {
  const note = parsed<PlacedProcess>(metadata.annotations?.[ZONE], ['identity', 'zone']);
  return note?.identity === holder ? note?.zone : undefined;
}

/** The ask that is in the Lease, however old. */
export function askIn({ metadata }: KubeObject): Ask | undefined {
  return parsed<Ask>(metadata.annotations?.[ASKED_BY], ['identity', 'zone', 'at']);
}

/** The ask that came into the Lease since it was as `before`. */
export function newAsk(before: KubeObject | undefined, now: KubeObject): Ask | undefined {
  const isOld = before?.metadata.annotations?.[ASKED_BY] === now.metadata.annotations?.[ASKED_BY];
  return isOld ? undefined : askIn(now);
}

/** As the holder writes it: with its zone, if it knows it, and with no ask. */
export function withHolder(metadata: ObjectMeta, holder: PlacedProcess | undefined): ObjectMeta {
  return annotated(metadata, { [ZONE]: holder && JSON.stringify(holder), [ASKED_BY]: undefined });
}

/** As one who asks writes it: all else stays as it is. */
export function withAsk(metadata: ObjectMeta, ask: Ask): ObjectMeta {
  return annotated(metadata, { [ASKED_BY]: JSON.stringify(ask) });
}

/** As it is given back: for nobody, or for the one that asked. */
export function withoutHolder(metadata: ObjectMeta, ask: Ask | undefined): ObjectMeta {
  return annotated(metadata, { [ZONE]: undefined, [ASKED_BY]: ask && JSON.stringify(ask) });
}

function annotated(metadata: ObjectMeta, changes: Record<string, string | undefined>): ObjectMeta {
  const { annotations: before, ...rest } = metadata;
  const entries = Object.entries({ ...before, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return entries.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(entries) };
}

/** An object whose `fields` are all texts; undefined for anything else, which a person may have written. */
function parsed<T extends PlacedProcess>(
  text: string | undefined,
  fields: readonly (keyof T & string)[],
): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    return fields.every((field) => typeof value?.[field] === 'string') ? (value as unknown as T) : undefined;
  } catch {
    return undefined;
  }
}
