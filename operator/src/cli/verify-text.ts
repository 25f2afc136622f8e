/** A comparison of etcds for people. Pure. */
import type { KeyDifference, Verification } from '@causeway/crds';
import type { Style } from './io.ts';
import { printableKey } from './printable.ts';
import { table, type Row } from './table.ts';

/** One zone in `causeway verify NAME -o json`: what its replicator found, or why it could not look. */
export type ZoneView = { zone: string } & (
  (Verification & { error?: undefined }) | { error: string; equal?: undefined; shown?: undefined }
);

/** `causeway verify NAME -o json`. Fields are only ever added. */
export interface VerifyView {
  namespace: string;
  name: string;
  homeZone: string;
  epoch: number;
  /** Every zone was compared and is equal. */
  equal: boolean;
  zones: ZoneView[];
}

/** How to print. */
interface TextOptions {
  style: Style;
  width?: number | undefined;
}

/** Of a hash so much is shown. */
const HASH_DIGITS = 16;

/** A line for each zone, and one for each key that differs. */
export function verifyText(view: VerifyView, options: TextOptions): string {
  const head = `MessagePlatform ${view.namespace}/${view.name}, home ${view.homeZone} (epoch ${view.epoch})`;
  const sections = [options.style.bold(head), zonesTable(view, options), differencesTable(view, options)];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function zonesTable({ zones }: VerifyView, options: TextOptions): string {
  const header = ['ZONE', 'STATE', 'REVISION', 'KEYS', 'DIFFERENCES', 'SHA-256', 'MESSAGE'];
  return table(header, zones.map(zoneRow), options);
}

function zoneRow(view: ZoneView): Row {
  if (view.error !== undefined)
    return { mood: 'bad', cells: [view.zone, 'Unknown', '', '', '', '', view.error] };
  const { zone, equal, revision, keys, differences, sha256 } = view;
  const hash = sha256.zone.slice(0, HASH_DIGITS);
  const counts = [revision, String(keys.zone), String(differences)];
  if (equal) return { cells: [zone, 'Equal', ...counts, hash, ''] };
  const message = `The home has ${keys.home} keys, ${sha256.home.slice(0, HASH_DIGITS)}.`;
  return { mood: 'bad', cells: [zone, 'Differs', ...counts, hash, message] };
}

function differencesTable({ zones }: VerifyView, options: TextOptions): string {
  const rows = zones.flatMap((view) =>
    view.error === undefined ? view.shown.map((difference) => keyRow(view.zone, difference)) : [],
  );
  if (rows.length === 0) return '';
  const left = zones.flatMap((view) => {
    if (view.error !== undefined || view.differences <= view.shown.length) return [];
    return [`${view.differences - view.shown.length} more keys of ${view.zone} differ.`];
  });
  const header = ['ZONE', 'KEY', 'DIFFERENCE', 'AT HOME', 'IN THE ZONE'];
  return [table(header, rows, { style: options.style }), ...left].join('\n');
}

function keyRow(zone: string, { key, keyBase64, home, zone: there }: KeyDifference): Row {
  const name = keyBase64 === undefined ? printableKey(key) : `base64:${keyBase64}`;
  const what = home === undefined ? 'Extra' : there === undefined ? 'Missing' : 'Differs';
  return { mood: 'bad', cells: [zone, name, what, about(home), about(there)] };
}

function about(value: KeyDifference['home']): string {
  return value === undefined ? '-' : `${value.bytes} bytes, ${value.hash}`;
}
