import type { Seen } from './history.ts';
import { Losses } from './losses.ts';
import { checkOrder } from './order.ts';
import { Places, placesOf, publicationsOf } from './publications.ts';
import type { Publication } from './publications.ts';
import { SubscriberView } from './subscriber.ts';
import type { Violation } from './violation.ts';

/** What a history is judged by, beside the rules. */
export interface CheckOptions {
  /** How many publications a channel's history holds at least. Default: any number. */
  historySize?: (channel: string) => number;
}

/**
 * Says what of a history a platform must not have done. The model:
 *
 * - A publication that was acknowledged is delivered to each subscriber that was there when it was begun, once. One that
 *   got no answer, or an error that leaves it open, may come once; one that was refused never comes.
 * - A channel has one order, the same for all, which keeps what was acknowledged before what was begun later.
 * - Within one epoch offsets follow each other without a gap and stand for the same publication at everybody.
 * - "Recovered" means exactly what was missed. A subscriber that is told that it can't recover begins anew, and is told
 *   so only where the streams lost something or it was away for longer than history is.
 *
 * It reads what clients saw, as Jepsen's checkers of logs do (lost writes, duplicates, inconsistent offsets, skipped and
 * non-monotonic polls, aborted reads), and nothing of the platform's inside. The history must end at rest: every
 * subscriber that has not left had time to get everything.
 */
export function check(events: readonly Seen[], options: CheckOptions = {}): Violation[] {
  const publications = publicationsOf(events);
  const { places, violations } = placesOf(events);
  const losses = new Losses(events);
  const views = new Map<string, Map<string, SubscriberView>>();
  const viewOf = (name: string, channel: string): SubscriberView => {
    const ofChannel = views.get(channel) ?? new Map<string, SubscriberView>();
    views.set(channel, ofChannel);
    const view =
      ofChannel.get(name) ??
      new SubscriberView(name, {
        name: channel,
        publications,
        places: places.get(channel) ?? new Places(),
        losses,
        historySize: options.historySize?.(channel) ?? Infinity,
      });
    ofChannel.set(name, view);
    return view;
  };
  for (const [index, event] of events.entries()) {
    if (event.kind === 'subscribed') viewOf(event.subscriber, event.channel).subscribed(event, index);
    else if (event.kind === 'delivered') viewOf(event.subscriber, event.channel).delivered(event, index);
    else if (event.kind === 'left') viewOf(event.subscriber, event.channel).left();
  }
  for (const ofChannel of views.values()) for (const view of ofChannel.values()) view.ended();
  for (const [channel, ofChannel] of views) {
    const all = [...ofChannel.values()];
    const known = places.get(channel);
    const streams = known ? [...known.epochs].map((epoch) => known.sequence(epoch)) : [];
    const orders = [...all.flatMap((view) => view.orders), ...streams];
    violations.push(...all.flatMap((view) => view.violations), ...checkOrder(channel, orders, publications));
  }
  return [...vanished(publications, events), ...violations];
}

/** Only where somebody was there to see all of the channel. */
function vanished(publications: ReadonlyMap<string, Publication>, events: readonly Seen[]): Violation[] {
  const seen = new Set<string>();
  const read = new Set<string>();
  for (const event of events) {
    if (event.kind !== 'delivered' && event.kind !== 'stored') continue;
    seen.add(event.id);
    if (event.kind === 'stored') read.add(event.channel);
  }
  return [...publications.values()]
    .filter(({ id, channel, answer }) => answer === 'acknowledged' && read.has(channel) && !seen.has(id))
    .map(({ id, channel }) => ({
      kind: 'vanished',
      channel,
      id,
      detail: 'acknowledged, and nobody ever saw it, nor is it in history',
    }));
}
