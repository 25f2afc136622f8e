/** Every way between the operator and the zones, and between zones: each can be cut for itself. */
import { startTcpProxy } from '../../gateway/src/testing/index.ts';
import type { TcpProxy } from '../../gateway/src/testing/index.ts';
import type { Apart, HomesHistory, Store } from '../homes/index.ts';
import type { How } from './plan.ts';

export const ZONES = ['zone-a', 'zone-b', 'zone-c'] as const;
export type Zone = (typeof ZONES)[number];

/** One operator after another: one that died may still have requests under way, which come by ways of its own. */
const OPERATORS = 2;

/** What cannot reach each other. */
export type Apartness =
  { side: 'operator'; zone: Zone } | { side: 'zones'; zone: Zone } | { side: 'way'; from: Zone; to: Zone };

/** Several faults may hold one way at once. */
class Way {
  readonly #proxy: TcpProxy;
  readonly #held = { cut: 0, stall: 0 };

  constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
  }

  get port(): number {
    return this.#proxy.port;
  }

  hold(how: How): void {
    this.#held[how] += 1;
    this.#apply();
  }

  release(how: How): void {
    this.#held[how] -= 1;
    this.#apply();
  }

  close(): void {
    this.#proxy.close();
  }

  #apply(): void {
    if (this.#held.cut > 0) this.#proxy.cut();
    else if (this.#held.stall > 0) this.#proxy.stall();
    else this.#proxy.restore();
  }
}

/** Ways to the stores of one zone. */
type Ways = Record<Store, Way>;

/** Where zones find the stores of a zone: an address for each, so that a Redis tells by it whom it follows. */
export function addressIn(zone: Zone): string {
  return `127.0.0.${2 + ZONES.indexOf(zone)}`;
}

export class Network {
  readonly #ofOperators: readonly ReadonlyMap<Zone, Ways>[];
  /** By who connects, then to whom. */
  readonly #ofZones: ReadonlyMap<Zone, ReadonlyMap<Zone, Ways>>;
  readonly #history: HomesHistory;
  readonly #counts = new Map<string, number>();

  private constructor(
    ofOperators: readonly ReadonlyMap<Zone, Ways>[],
    ofZones: ReadonlyMap<Zone, ReadonlyMap<Zone, Ways>>,
    history: HomesHistory,
  ) {
    this.#ofOperators = ofOperators;
    this.#ofZones = ofZones;
    this.#history = history;
  }

  /** `ports`: of each zone's stores. */
  static async open(ports: (zone: Zone) => Record<Store, number>, history: HomesHistory): Promise<Network> {
    const ways = async (zone: Zone, address = { etcd: LOCAL, redis: LOCAL }): Promise<Ways> => ({
      etcd: new Way(await startTcpProxy(ports(zone).etcd, address.etcd)),
      redis: new Way(await startTcpProxy(ports(zone).redis, address.redis)),
    });
    const ofOperators: Map<Zone, Ways>[] = [];
    for (let n = 0; n < OPERATORS; n += 1) {
      const own = new Map<Zone, Ways>();
      for (const zone of ZONES) own.set(zone, await ways(zone));
      ofOperators.push(own);
    }
    const ofZones = new Map<Zone, Map<Zone, Ways>>();
    for (const from of ZONES) {
      const own = new Map<Zone, Ways>();
      // The etcds' certificate is for one address.
      for (const to of ZONES) own.set(to, await ways(to, { etcd: LOCAL, redis: addressIn(to) }));
      ofZones.set(from, own);
    }
    return new Network(ofOperators, ofZones, history);
  }

  /** Port by which the n-th operator reaches a zone's store, on 127.0.0.1. */
  operatorPort(n: number, zone: Zone, store: Store): number {
    return must(this.#ofOperators[n % OPERATORS]?.get(zone))[store].port;
  }

  /** Port by which `from` reaches the store of `to`: of Redis on {@link addressIn}, of etcd on 127.0.0.1. */
  zonePort(from: Zone, to: Zone, store: Store): number {
    return must(this.#ofZones.get(from)?.get(to))[store].port;
  }

  /** Whether the operator, and all of Kubernetes with it, cannot reach the zone. */
  isHidden(zone: Zone): boolean {
    return (this.#counts.get(`${zone}/operator`) ?? 0) > 0;
  }

  /** Cuts, and notes it. Call what it returns to mend it. */
  part(what: Apartness, how: How): () => void {
    const ways = this.#waysOf(what);
    const notes = notesOf(what);
    for (const [zone, side] of notes) this.#count(zone, side, 1);
    for (const way of ways) way.hold(how);
    return () => {
      for (const way of ways) way.release(how);
      for (const [zone, side] of notes) this.#count(zone, side, -1);
    };
  }

  close(): void {
    const sets = [...this.#ofOperators, ...this.#ofZones.values()].flatMap((own) => [...own.values()]);
    for (const { etcd, redis } of sets) for (const way of [etcd, redis]) way.close();
  }

  #waysOf(what: Apartness): Way[] {
    const both = ({ etcd, redis }: Ways): Way[] => [etcd, redis];
    if (what.side === 'operator') return this.#ofOperators.flatMap((own) => both(must(own.get(what.zone))));
    const pairs = ZONES.flatMap((from) => ZONES.map((to) => ({ from, to }))).filter(({ from, to }) =>
      what.side === 'way'
        ? from === what.from && to === what.to
        : from !== to && (from === what.zone || to === what.zone),
    );
    return pairs.flatMap(({ from, to }) => both(must(this.#ofZones.get(from)?.get(to))));
  }

  #count(zone: Zone, side: Apart, by: 1 | -1): void {
    const before = this.#counts.get(`${zone}/${side}`) ?? 0;
    this.#counts.set(`${zone}/${side}`, before + by);
    if (before === 0) this.#history.add({ kind: 'cut', zone, side });
    if (before + by === 0) this.#history.add({ kind: 'mended', zone, side });
  }
}

const LOCAL = '127.0.0.1';

function notesOf(what: Apartness): [Zone, Apart][] {
  if (what.side !== 'way') return [[what.zone, what.side]];
  return [
    [what.from, 'some'],
    [what.to, 'some'],
  ];
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new RangeError('there is no such way');
  return value;
}
