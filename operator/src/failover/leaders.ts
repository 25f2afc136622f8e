/**
 * Leaders of Kafka's partitions leave the zone before its clients do, and come back after (docs/adr/0069-kafka-leaders.md).
 * Only the order of a partition's replicas changes, never their set: no data moves. Pure.
 */
import { shut, zoneOf, type Gate } from './gates.ts';
import { followersGate } from './move.ts';
import type { Act, FailoverWish, KafkaSight, Observed, PartitionName, PartitionSight } from './observed.ts';
import { isOver, phaseSince, type ChangedOrder, type FailoverState } from './state.ts';

/** How long leaders are waited for, milliseconds. Kafka moves them in a fraction of a second, where it can. */
export const LEADERS_PATIENCE = 10_000;
/**
 * How long leaders stay where they are once the home is back, while zones begin to follow it, milliseconds: replicators that start take the
 * time of those who wait for an election (docs/adr/0077-one-thing-after-the-other.md).
 */
export const FOLLOW_PATIENCE = LEADERS_PATIENCE / 2;
/** Orders that one failover changes at most: they stand in its status. */
export const MAX_ORDERS = 1_000;

/** Until a request whose answer nobody got can take effect no more, milliseconds: longer than one is waited for. */
export const LATE_EFFECT = 15_000;

/** The phase has waited for Kafka for as long as it may; Prepare does so once there is capacity. */
function isLate(state: FailoverState, { now }: Observed): boolean {
  const { capacityMs = 0 } = state.phase === 'Prepare' ? state.figures : {};
  return now - phaseSince(state, now) >= capacityMs + LEADERS_PATIENCE;
}

/** How far it is. No gate: it is done, or not waited for any more. */
export interface LeadersPart {
  state: FailoverState;
  gate: Gate | undefined;
  acts: readonly Act[];
}

/** What leaders are to do, for one zone. */
interface LeaderPlan {
  /** All that is changed, also by earlier looks; on the way back, all that still is. */
  orders: readonly ChangedOrder[];
  /** Of those, what is to be done. */
  due: readonly ChangedOrder[];
  elections: readonly PartitionName[];
}

/** True while Kafka is worth a question in Prepare: once there is capacity. */
export function mayMoveLeaders({ figures }: FailoverState): boolean {
  return figures.capacityMs !== undefined && figures.leadersMoved === undefined;
}

/** True while Kafka is worth a question when all is given back. An Emergency that waits does not wait for Kafka. */
export function mayReturnLeaders({ orders, cause }: FailoverState): boolean {
  return orders.length > 0 && cause !== 'Emergency';
}

/** The leaders leave. A Kafka that cannot do that is given a while, and then led from the zone as before. */
export function leadersAway(wish: FailoverWish, state: FailoverState, seen: Observed): LeadersPart {
  if (wish.spec.mode === 'Emergency' || !mayMoveLeaders(state)) return { state, gate: undefined, acts: [] };
  const { kafka } = seen;
  const gate = awayGate(wish, kafka);
  const late = isLate(state, seen);
  if (gate === undefined || late) return { state: withMoved(state, kafka), gate: undefined, acts: [] };
  if (kafka === undefined) return { state, gate, acts: [] };
  const plan = planAway(kafka, wish.spec.fromZone, state.orders);
  return { state: { ...state, orders: plan.orders }, gate, acts: actsOf(plan, ({ to }) => to) };
}

function awayGate({ spec }: FailoverWish, kafka: KafkaSight | undefined): Gate | undefined {
  if (kafka === undefined)
    return shut('LeadersMoved', 'Kafka cannot be asked who leads the partitions of the platform.');
  const isIn = inZone(kafka, spec.fromZone);
  const open = kafka.partitions.filter(({ leader, replicas }) => isIn(leader) || isIn(replicas[0]));
  if (open.length === 0) return undefined;
  return shut(
    'LeadersMoved',
    `${open.length} partitions are led from ${spec.fromZone}, or would be by preference.`,
  );
}

function withMoved(state: FailoverState, kafka: KafkaSight | undefined): FailoverState {
  const { partitionsLed } = state.figures;
  const left = kafka?.led ?? partitionsLed ?? 0;
  return { ...state, figures: { ...state.figures, leadersMoved: Math.max(0, (partitionsLed ?? 0) - left) } };
}

/** What is to be said when leaders stay; else nothing. */
export function leadersLeft({ spec }: FailoverWish, { figures }: FailoverState): string {
  const left = (figures.partitionsLed ?? 0) - (figures.leadersMoved ?? 0);
  if (left <= 0 || spec.mode === 'Emergency') return '';
  return `${left} Kafka partitions are still led from ${spec.fromZone}: Kafka moves them when their broker goes.`;
}

/**
 * New orders for the partitions that are led from `zone`, or would be by preference, and elections for those that are led
 * from there. The next leader is the in-sync replica elsewhere whose broker leads least of the platform's; the replicas of
 * the zone come last, so that another broker's end does not lead back there. `changed`: by earlier looks.
 */
export function planAway(kafka: KafkaSight, zone: string, changed: readonly ChangedOrder[]): LeaderPlan {
  const isIn = inZone(kafka, zone);
  const known = new Map(changed.map((order) => [nameOf(order), order]));
  const load = new Map<number, number>();
  const count = (id: number): Map<number, number> => load.set(id, (load.get(id) ?? 0) + 1);
  const going: Going[] = [];
  for (const partition of kafka.partitions) {
    const next = nextLeaders(partition, kafka, zone);
    const mayChange = isIn(partition.replicas[0]) || (isIn(partition.leader) && !leadsFirst(partition, next));
    if (mayChange && next.length > 0 && isOurs(partition, known.get(nameOf(partition))))
      going.push({ partition, next });
    else count(leadsFirst(partition, next) ? (partition.replicas[0] ?? -1) : partition.leader);
  }
  // Who has the least choice goes first: the others can make up for it.
  going.sort((a, b) => a.next.length - b.next.length);
  for (const { partition, next } of going) {
    const before = known.get(nameOf(partition));
    if (before === undefined && known.size >= MAX_ORDERS) continue;
    const leader = next.find((id) => id === before?.to[0]) ?? leastLoaded(next, load);
    count(leader);
    const { topic, partition: number, replicas } = partition;
    const rest = replicas.filter((id) => id !== leader);
    const to = [leader, ...rest.filter((id) => !isIn(id)), ...rest.filter(isIn)];
    known.set(nameOf(partition), { topic, partition: number, from: replicas, to });
  }
  const due = going.flatMap(({ partition }) => known.get(nameOf(partition)) ?? []);
  const first = new Map(due.map((order) => [nameOf(order), order.to[0]]));
  const elections = kafka.partitions.filter((one) => {
    const leader = first.get(nameOf(one)) ?? one.replicas[0];
    return isIn(one.leader) && !isIn(leader) && one.isr.includes(leader ?? -1);
  });
  return { orders: [...known.values()], due, elections };
}

interface Going {
  partition: PartitionSight;
  /** Brokers that may lead it next. */
  next: readonly number[];
}

/** In-sync replicas that are known to be in another zone. */
function nextLeaders({ replicas, isr }: PartitionSight, { racks }: KafkaSight, zone: string): number[] {
  return replicas.filter((id) => {
    const rack = racks.get(id);
    return rack !== undefined && rack !== zone && isr.includes(id);
  });
}

function leadsFirst({ replicas: [first = -1] }: PartitionSight, next: readonly number[]): boolean {
  return next.includes(first);
}

/** Its order may be changed: nobody else does, and it is as it was, not yet as an earlier look wanted it. */
function isOurs({ settled, replicas }: PartitionSight, before: ChangedOrder | undefined): boolean {
  return settled && (before === undefined || isSame(replicas, before.from));
}

function leastLoaded(ids: readonly number[], load: ReadonlyMap<number, number>): number {
  const of = (id: number): number => load.get(id) ?? 0;
  return ids.reduce((least, id) => (of(id) < of(least) ? id : least));
}

/** The gate of what is done, and looked at once more later. */
const SETTLED = 'LeadersSettled';

/** True while the way back waits for Kafka; later, and for what is urgent, it ends, and Kafka is given its orders afterwards. */
export function waitsForLeaders(
  { spec }: FailoverWish,
  { state, gate }: LeadersPart,
  seen: Observed,
): boolean {
  if (gate === undefined || gate.name === SETTLED) return false;
  const isThere = zoneOf(seen, spec.fromZone)?.nodes !== 0;
  const late = isLate(state, seen);
  return isThere && !late && seen.emergency === undefined && mayReturnLeaders(state);
}

/** The orders of before come back, exactly, and with them the leaders. Who meanwhile got another order keeps that one. */
export function leadersBack(wish: FailoverWish, state: FailoverState, seen: Observed): LeadersPart {
  if (state.orders.length === 0) return { state, gate: undefined, acts: [] };
  const gate = returnGate(wish, state, seen);
  if (gate !== undefined || seen.kafka === undefined) return { state, gate, acts: [] };
  const plan = planBack(seen.kafka, state.orders);
  // In the way back itself nothing is given up: it ends without Kafka, which may have said nothing until then.
  const late = isOver(state.phase) && seen.now - (state.finishedAt ?? 0) >= LEADERS_PATIENCE;
  if (plan.orders.length === 0 && (plan.elections.length === 0 || late)) {
    const left = state.phases.findLast((entry) => entry.name === 'Prepare')?.endedAt ?? 0;
    // It is not forgotten while one of our own requests to leave may still be under way.
    if (seen.now - left < LATE_EFFECT)
      return { state, gate: shut(SETTLED, 'Kafka is looked at once more.'), acts: [] };
    // Once more what is given up for being late: Kafka may have been away until now.
    return { state: { ...state, orders: [] }, gate: undefined, acts: actsOf(plan, ({ from }) => from) };
  }
  const count = new Set([...plan.orders, ...plan.elections].map(nameOf)).size;
  const waiting = shut('LeadersReturned', `${count} Kafka partitions do not have their leaders back.`);
  return { state, gate: waiting, acts: actsOf(plan, ({ from }) => from) };
}

/** When Kafka's leaders may not come back yet: they are not sent into a zone that is away. */
function returnGate(wish: FailoverWish, state: FailoverState, seen: Observed): Gate | undefined {
  const { name, spec } = wish;
  const words = (why: string): Gate =>
    shut('LeadersReturned', `Kafka's leaders do not come back yet: ${why}`);
  if (zoneOf(seen, spec.fromZone)?.nodes === 0) return words(`no node of ${spec.fromZone} is ready.`);
  if (seen.emergency !== undefined || (!mayReturnLeaders(state) && !isOver(state.phase)))
    return words('an Emergency goes first.');
  const other = seen.claim ?? seen.away.find(({ zone }) => zone === spec.fromZone)?.failover ?? name;
  if (other !== name) return words(`ZoneFailover ${other} is under way.`);
  if (seen.kafka === undefined) return words('Kafka cannot be asked.');
  return isSettling(wish, state, seen)
    ? words(`the other zones begin to follow ${seen.home} again.`)
    : undefined;
}

/** The home has just come back, and not all follow it yet. */
function isSettling({ name, spec }: FailoverWish, state: FailoverState, seen: Observed): boolean {
  const isFresh = seen.now - phaseSince(state, seen.now) < FOLLOW_PATIENCE;
  if (isOver(state.phase) || state.home === undefined || !isFresh) return false;
  const except = seen.away.filter(({ failover }) => failover !== name).map(({ zone }) => zone);
  return followersGate(seen, { except, maxLag: spec.limits.maxReplicationLag }) !== undefined;
}

/** What is still to be given back of `changed`. What is neither as it was nor as we made it is somebody else's by now. */
export function planBack({ partitions }: KafkaSight, changed: readonly ChangedOrder[]): LeaderPlan {
  const now = new Map(partitions.map((partition) => [nameOf(partition), partition]));
  const orders: ChangedOrder[] = [];
  const due: ChangedOrder[] = [];
  const elections: PartitionName[] = [];
  for (const order of changed) {
    const partition = now.get(nameOf(order));
    if (partition === undefined) continue;
    const isBack = isSame(partition.replicas, order.from);
    if (!isBack && !isSame(partition.replicas, order.to)) continue;
    if (!isBack) orders.push(order);
    if (!isBack && partition.settled) due.push(order);
    const [first = -1] = order.from;
    const canLead = partition.leader !== first && partition.isr.includes(first);
    if (canLead && (isBack || partition.settled)) elections.push(order);
  }
  return { orders, due, elections };
}

function actsOf({ due, elections }: LeaderPlan, orderOf: (order: ChangedOrder) => readonly number[]): Act[] {
  const orders = due.map((order) => ({
    topic: order.topic,
    partition: order.partition,
    replicas: orderOf(order),
  }));
  const partitions = elections.map(({ topic, partition }) => ({ topic, partition }));
  return [
    ...(orders.length === 0 ? [] : [{ act: 'orderReplicas', orders } as const]),
    ...(partitions.length === 0 ? [] : [{ act: 'electLeaders', partitions } as const]),
  ];
}

function inZone({ racks }: KafkaSight, zone: string): (id: number | undefined) => boolean {
  return (id) => id !== undefined && racks.get(id) === zone;
}

function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}/${partition}`;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
