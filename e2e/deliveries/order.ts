import type { Publication } from './publications.ts';
import type { Violation } from './violation.ts';

/**
 * Whether several orders of one channel's publications fit into one, and keep what was acknowledged before what was
 * begun later (as Elle looks for cycles in what depends on what). Each of `orders` is what one observer saw.
 */
export function checkOrder(
  channel: string,
  orders: readonly string[][],
  publications: ReadonlyMap<string, Publication>,
): Violation[] {
  const late = orders.flatMap((order) => realTime(channel, order, publications));
  const stuck = cycle(orders);
  if (stuck.length === 0) return late;
  const detail = `no order fits all that was seen of ${stuck.slice(0, 6).join(', ')}`;
  return [...late, { kind: 'reordered', channel, detail }];
}

/** The last that was acknowledged first, from the end: one that was begun after that must not stand before it. */
function realTime(
  channel: string,
  order: readonly string[],
  publications: ReadonlyMap<string, Publication>,
): Violation[] {
  const violations: Violation[] = [];
  let earliest: Publication | undefined;
  for (const id of order.toReversed()) {
    const publication = publications.get(id);
    if (!publication) continue;
    if (earliest && earliest.answered < publication.invoked) {
      const detail = `before ${earliest.id}, which was acknowledged before this one was begun`;
      violations.push({ kind: 'reordered', channel, id, detail });
    }
    if (publication.answer === 'acknowledged' && publication.answered < (earliest?.answered ?? Infinity))
      earliest = publication;
  }
  return violations;
}

/** Those that stand in a circle, or behind one; empty: there is an order that fits all. */
function cycle(orders: readonly string[][]): string[] {
  const followers = new Map<string, Set<string>>();
  const waitsFor = new Map<string, number>();
  for (const order of orders) {
    for (const [index, id] of order.entries()) {
      waitsFor.set(id, waitsFor.get(id) ?? 0);
      const previous = order[index - 1];
      if (previous === undefined || previous === id) continue;
      const after = followers.get(previous) ?? new Set();
      followers.set(previous, after);
      if (after.has(id)) continue;
      after.add(id);
      waitsFor.set(id, (waitsFor.get(id) ?? 0) + 1);
    }
  }
  const free = [...waitsFor].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    waitsFor.delete(id);
    for (const next of followers.get(id) ?? []) {
      const left = (waitsFor.get(next) ?? 0) - 1;
      waitsFor.set(next, left);
      if (left === 0) free.push(next);
    }
  }
  return [...waitsFor.keys()];
}
