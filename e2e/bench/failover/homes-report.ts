/** Says whether there were two homes, and what one that was cut off took by itself. Pure. */
import { markdownTable, shown, spread } from '../common/markdown.ts';
import type { HomesVerdict } from './homes.ts';

/** Runs of one kind. */
export interface HomesGroup {
  kind: string;
  /** The zone went, instead of being left. */
  isGone: boolean;
  runs: readonly Pick<HomesVerdict, 'acknowledged' | 'byOldHome' | 'aloneMs' | 'violations'>[];
}

const HEAD = [
  '',
  'two homes',
  'alone for too long',
  'etcd acknowledged',
  'of them in a run by the old home',
  'Redis acknowledged',
  'of them in a run by the old home',
  'Redis alone, s',
];

/** The table, and what it means. */
export function homesText(groups: readonly HomesGroup[]): string {
  return `Whether there were two homes: in each zone, on its side of a cut, a writer writes to its own etcd and its own Redis every
100 ms, whoever is home. What they were told is judged by
[e2e/homes](adr/0068-one-home-checked-from-outside.md): no write may begin under a home when the next one has answered.

${markdownTable([HEAD, ...groups.map(homesRow)])}

One exception is allowed, and has bounds: a home that is cut off cannot be told that it is home no more. Its Redis goes on until it has heard no
replica for ten seconds (_alone_: from the cut to the last write that it took), its etcd until the operator reaches it again, which
is as long as the cut lasts and a moment more; a zone that was killed comes back with an etcd that takes writes for that
moment. What the old home took after the next one had begun reaches no other zone (e2e/partitions checks that, this benchmark does not): of etcd
the last value of each key is [kept aside](etcd-replication.md#what-an-old-home-wrote-alone) there, of Redis it is dropped, and publications in it
are in Kafka. No acknowledgement to a client of a channel rests on it: a publication is acknowledged once Kafka has it in all in-sync replicas.`;
}

/** One row. */
export function homesRow({ kind, isGone, runs }: HomesGroup): string[] {
  const found = (violation: 'two-homes' | 'unguarded'): string =>
    `${runs.filter(({ violations }) => (violations[violation] ?? 0) > 0).length} of ${runs.length}`;
  const store = (name: 'etcd' | 'redis'): string[] => [
    shown(runs.reduce((sum, { acknowledged }) => sum + acknowledged[name], 0)),
    spread(runs.map(({ byOldHome }) => byOldHome[name])),
  ];
  return [
    kind,
    found('two-homes'),
    found('unguarded'),
    ...store('etcd'),
    ...store('redis'),
    spread(isGone ? runs.map(({ aloneMs }) => aloneMs / 1000) : []),
  ];
}
