/** What clients met during a failover, from their journal. Pure. Times in milliseconds; `at` is since the Unix epoch. */
import { check, type Violation, type ViolationKind } from '../../deliveries/index.ts';
import { percentile } from '../replication/report.ts';
import { countBy } from './count-by.ts';
import type { ClientStory, Journal } from './journal.ts';

/** A series of times, in milliseconds. */
export interface Times {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

/** What some clients met. */
export interface Met {
  /** Clients. */
  clients: number;
  /** Of those, the ones that lost their connection. */
  lostConnection: number;
  /** Of those, the ones that got nothing any more. */
  neverBack: number;
  /** For each: the longest time from when something was sent until it came. Only what the platform acknowledged counts. */
  blackout: Times;
  /** For each: the longest time in which nothing came. A channel has a publication each second. */
  silence: Times;
  /** For each that lost its connection: the longest time until it was subscribed again. */
  reconnect: Times;
  /** For each: from the act until something came over a connection that it has kept or made since. */
  back: Times;
}

/** What is judged, and from when. */
export interface Act {
  /** When the word was given, or the zone went; milliseconds since the Unix epoch. */
  at: number;
  /** When what befell the zone was over; undefined: nothing did. */
  over: number | undefined;
  /** Names of clients on gateways of the zone then. */
  inZone: ReadonlySet<string>;
  /** The ping delays that clients have by turns, seconds. */
  pingDelays: readonly number[];
}

/** All that is said of one run. */
export interface Verdict {
  acknowledged: number;
  /** Answered by an error or not at all, and refused for good. */
  unknown: number;
  refused: number;
  /** Acknowledged, and missing at a client that should have it. */
  lost: number;
  /** Deliveries that came a second time. */
  duplicated: number;
  /** Faults by kind, see e2e/deliveries. Empty: none. */
  violations: Partial<Record<ViolationKind, number>>;
  /** Some of them, in words. */
  examples: Violation[];
  /** Times that a client was told that it can't have what it missed. */
  unrecovered: number;
  /** Clients that were sent away for good. */
  sentAway: number;
  /** From sent to acknowledged and from sent to received, over the time before the act. */
  before: { acknowledgement: Times; receipt: Times };
  all: Met;
  /** Clients of the zone, by ping delay in seconds. */
  zone: Record<string, Met>;
  others: Met;
  /** What all met when the zone came back, if it was gone: that is in none of the others. */
  onReturn?: Met;
}

/** Judges a run. */
export function judge(journal: Journal, act: Act): Verdict {
  const violations = [...journal.channels.values()].flatMap((events) => check(events));
  const stories = [...journal.clients.values()].filter(({ channel }) => channel !== '');
  const from = act.at - journal.beganAt;
  const to = act.over === undefined ? Infinity : act.over - journal.beganAt;
  const inZone = stories.filter(({ name }) => act.inZone.has(name));
  const answers = [...journal.channels.values()].flat().filter((event) => event.kind === 'answered');
  const met = (some: readonly ClientStory[]): Met => metBy(some, journal, { from, to });
  const delayOf = ({ name }: ClientStory): number =>
    act.pingDelays[Number(name) % act.pingDelays.length] ?? Number.NaN;
  return {
    acknowledged: journal.acknowledged.size,
    unknown: journal.invoked.size - answers.filter(({ answer }) => answer !== 'unknown').length,
    refused: answers.filter(({ answer }) => answer === 'refused').length,
    lost: new Set(violations.filter(({ kind }) => kind === 'lost' || kind === 'vanished').map(({ id }) => id))
      .size,
    // Twice in a stream is told apart from twice at a client.
    duplicated: violations.filter(({ kind, subscriber }) => kind === 'doubled' && subscriber !== undefined)
      .length,
    violations: countBy(violations.map(({ kind }) => kind)),
    examples: violations.slice(0, 10),
    unrecovered: stories.flatMap(({ subscribed }) => subscribed).filter(({ recovery }) => recovery === 'lost')
      .length,
    sentAway: stories.filter(({ ended }) => ended !== undefined).length,
    before: steady(journal, stories, from),
    all: met(stories),
    zone: Object.fromEntries(
      act.pingDelays.map((delay) => [delay, met(inZone.filter((one) => delayOf(one) === delay))]),
    ),
    others: met(stories.filter(({ name }) => !act.inZone.has(name))),
    ...(to === Infinity ? {} : { onReturn: metBy(stories, journal, { from: to, to: Infinity }) }),
  };
}

/** Times in a few numbers; NaN where there are none. */
export function timesOf(values: readonly number[]): Times {
  return {
    count: values.length,
    p50: percentile(values, 50),
    p99: percentile(values, 99),
    max: percentile(values, 100),
  };
}

/** A time of the journal, milliseconds. */
export interface Span {
  from: number;
  to: number;
}

function metBy(stories: readonly ClientStory[], journal: Journal, span: Span): Met {
  const reconnects = stories.map((story) => reconnectOf(story, span)).filter((ms) => ms !== undefined);
  const backs = stories.map((story) => backOf(story, span)).filter((ms) => ms !== undefined);
  return {
    clients: stories.length,
    neverBack: stories.length - backs.length,
    lostConnection: stories.filter(({ lost }) => lost.some(({ ms }) => isIn(span, ms))).length,
    blackout: timesOf(blackoutsOf(stories, journal, span)),
    silence: timesOf(stories.map((story) => silenceOf(story, span))),
    reconnect: timesOf(reconnects),
    back: timesOf(backs),
  };
}

function isIn({ from, to }: Span, ms: number): boolean {
  return from <= ms && ms < to;
}

/** For each client the longest time from when something was sent until it came, if it was sent then or came then; 0: nothing. */
export function blackoutsOf(stories: readonly ClientStory[], journal: Journal, span: Span): number[] {
  const { invoked, acknowledged } = journal;
  return stories.map(({ delivered }) => {
    let longest = 0;
    for (const { ms, id } of delivered) {
      const sent = invoked.get(id);
      // What was on its way as it began counts; what was sent before its end does too, whenever it came.
      if (sent === undefined || ms < span.from || sent >= span.to || !acknowledged.has(id)) continue;
      longest = Math.max(longest, ms - Math.max(sent, span.from));
    }
    return longest;
  });
}

/** The longest time in which nothing came, from the last delivery before it on. */
export function silenceOf({ delivered }: ClientStory, span: Span): number {
  let longest = 0;
  for (const [index, { ms }] of delivered.entries()) {
    const before = delivered[index - 1];
    if (before !== undefined && ms >= span.from && before.ms < span.to)
      longest = Math.max(longest, ms - Math.max(before.ms, span.from));
  }
  return longest;
}

/** The longest time from a loss then to the next subscription; undefined: it lost no connection that it made good. */
export function reconnectOf({ lost, subscribed }: ClientStory, span: Span): number | undefined {
  const times = lost
    .filter(({ ms }) => isIn(span, ms))
    .map(({ ms }) => (subscribed.find((one) => one.ms >= ms)?.ms ?? Infinity) - ms);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** From its begin until it received by a connection that it made since, or has kept; undefined: nothing came any more. */
export function backOf({ lost, subscribed, delivered }: ClientStory, span: Span): number | undefined {
  const loss = lost.find(({ ms }) => isIn(span, ms));
  const since = loss === undefined ? span.from : (subscribed.find(({ ms }) => ms >= loss.ms)?.ms ?? Infinity);
  const first = delivered.find(({ ms }) => ms >= since);
  return first === undefined ? undefined : first.ms - span.from;
}

function steady(journal: Journal, stories: readonly ClientStory[], from: number): Verdict['before'] {
  const { invoked, acknowledged } = journal;
  const since = (id: string, ms: number): number[] => {
    const sent = invoked.get(id);
    return sent === undefined || ms >= from ? [] : [ms - sent];
  };
  return {
    acknowledgement: timesOf([...acknowledged].flatMap(([id, ms]) => since(id, ms))),
    receipt: timesOf(stories.flatMap(({ delivered }) => delivered.flatMap(({ id, ms }) => since(id, ms)))),
  };
}
