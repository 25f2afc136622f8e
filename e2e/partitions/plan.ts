import fc from 'fast-check';

/** Zones by what they are when an episode begins: the home, the next one, and the third. */
export type Role = 0 | 1 | 2;

/** What cannot reach each other. `way`: nothing that `from` opens towards `to` gets through; the other way it does. */
export type Gap =
  { side: 'operator'; zone: Role } | { side: 'zones'; zone: Role } | { side: 'way'; from: Role; to: Role };

/** `cut`: connections break, and new ones are refused. `stall`: nothing passes and nobody is told; it comes later. */
export type How = 'cut' | 'stall';

/** One gap, from `at` after the episode's begin; milliseconds. */
export interface Interference {
  gap: Gap;
  how: How;
  at: number;
  forMs: number;
}

/**
 * Why a move does not go through. `person`: it is paused in Drain, goes on, and is aborted in Hold. `lost`: from Drain on
 * the next home and the other zones are apart, until it has ended.
 */
export type Turn = 'person' | 'lost';

/** One move of the home, and what goes wrong meanwhile. */
export interface Episode {
  mode: 'Planned' | 'Drill' | 'Emergency';
  /** Which of the two other zones is to become home; an Emergency decides itself. */
  target: 0 | 1;
  /** When it is asked for, milliseconds after the episode's begin. */
  askedAt: number;
  interferences: readonly Interference[];
  /** When the operator dies; undefined: it lives. */
  crashAt: number | undefined;
  /** Replicators with an old configuration go on for a while beside the new ones. */
  lingering: boolean;
  /** The next episode begins when the failover has ended, whatever is still cut and whoever is not back. */
  impatient: boolean;
  /** Left out: nothing but what the network does. */
  turn?: Turn;
}

/** Longer than a primary takes to notice that nobody follows it. */
const LONG_MS = 13_500;

const role = fc.constantFrom<Role>(0, 1, 2);
const anyHow = fc.constantFrom<How>('cut', 'stall');
const gap: fc.Arbitrary<Gap> = fc.oneof(
  fc.record({ side: fc.constant('operator' as const), zone: role }),
  fc.record({ side: fc.constant('zones' as const), zone: role }),
  fc
    .record({ side: fc.constant('way' as const), from: role, to: role })
    .filter(({ from, to }) => from !== to),
);
const interference: fc.Arbitrary<Interference> = fc.record({
  gap,
  how: anyHow,
  at: fc.noBias(fc.integer({ min: 0, max: 3_000 })),
  forMs: fc.noBias(fc.integer({ min: 200, max: 3_000 })),
});
const rest = {
  target: fc.constantFrom<0 | 1>(0, 1),
  askedAt: fc.noBias(fc.integer({ min: 200, max: 1_500 })),
  crashAt: fc.option(fc.noBias(fc.integer({ min: 500, max: 3_500 })), { freq: 2, nil: undefined }),
  lingering: fc.boolean(),
  impatient: fc.noBias(fc.boolean()),
};

const planned: fc.Arbitrary<Episode> = fc.record({
  mode: fc.constantFrom('Planned' as const, 'Drill' as const),
  ...rest,
  interferences: fc.array(interference, { minLength: 1, maxLength: 3 }),
});

/** The operator sees the home no more, and mostly the other zones do not either; then a person says that it is gone. */
function emergency(lengths: fc.Arbitrary<number>): fc.Arbitrary<Episode> {
  return fc
    .record({
      ...rest,
      how: anyHow,
      forMs: lengths,
      isAlone: fc.noBias(fc.boolean()),
      more: fc.array(interference, { maxLength: 1 }),
    })
    .map(({ how: ofHome, forMs, isAlone, more, ...common }) => {
      const home = { how: ofHome, at: 0, forMs };
      const hidden = { gap: { side: 'operator', zone: 0 } as const, ...home };
      const alone = { gap: { side: 'zones', zone: 0 } as const, ...home };
      return { mode: 'Emergency', ...common, interferences: [hidden, ...(isAlone ? [alone] : []), ...more] };
    });
}

const short = emergency(fc.noBias(fc.integer({ min: 2_000, max: 5_000 })));
const any = fc.oneof(planned, short, emergency(fc.constant(LONG_MS)));

/** Episodes from a seed. The same seed gives the same ones. */
export function episodesOf(seed: number, count: number): Episode[] {
  return fc.sample(any, { seed, numRuns: count });
}

/** A planned move, and then an outage that is longer than an old home may go on alone. */
export function shortStory(seed: number): Episode[] {
  const [move] = fc.sample(planned, { seed, numRuns: 1 });
  const [outage] = fc.sample(emergency(fc.constant(LONG_MS)), { seed, numRuns: 1 });
  if (move === undefined || outage === undefined) throw new RangeError('no samples');
  // A connection that breaks is noticed at once.
  const home = { how: 'stall', at: 0, forMs: LONG_MS } as const;
  const alone: Interference[] = [
    { gap: { side: 'operator', zone: 0 }, ...home },
    { gap: { side: 'zones', zone: 0 }, ...home },
  ];
  return [
    { ...move, impatient: false },
    { ...outage, interferences: alone, impatient: false },
  ];
}

/** Moves that do not go through, and nothing else goes wrong: one that a person turns back, one that its time-out does. */
function turnedStory(): Episode[] {
  const calm = { interferences: [], crashAt: undefined, lingering: false, impatient: false };
  return [
    { mode: 'Drill', target: 0, askedAt: 200, turn: 'person', ...calm },
    { mode: 'Planned', target: 1, askedAt: 200, turn: 'lost', ...calm },
  ];
}

/** What every build tries. */
export function everyBuild(seed: number): Episode[] {
  return [...shortStory(seed), ...turnedStory()];
}

/** A line for each thing that happens. */
export function describeEpisodes(episodes: readonly Episode[]): string {
  return episodes.flatMap(describe).join('\n');
}

const TURNS = {
  person: 'paused in Drain, and aborted in Hold',
  lost: 'from Drain on the next home and the other zones are apart',
};

const NAMES = ['the home', 'the next home', 'the third zone'];

function describe(episode: Episode, index: number): string[] {
  const { mode, askedAt, interferences, crashAt, lingering, impatient, turn } = episode;
  const how = `${lingering ? ', old replicators linger' : ''}${impatient ? ', the next one follows at once' : ''}`;
  return [
    `${index + 1}. ${mode}, asked for after ${askedAt} ms${how}`,
    ...interferences.map(
      ({ gap: what, how: way, at, forMs }) =>
        `     ${String(at).padStart(5)} ms  ${describeGap(what)}: ${way}, for ${forMs} ms`,
    ),
    ...(turn === undefined ? [] : [`     ${TURNS[turn]}`]),
    ...(crashAt === undefined ? [] : [`     ${String(crashAt).padStart(5)} ms  the operator dies`]),
  ];
}

function describeGap(what: Gap): string {
  if (what.side === 'operator') return `operator and ${NAMES[what.zone]}`;
  if (what.side === 'zones') return `${NAMES[what.zone]} and the other zones`;
  return `from ${NAMES[what.from]} to ${NAMES[what.to]}`;
}
