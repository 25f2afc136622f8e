/** Clients of a platform under test: one exchange between all zones, and traffic that never stops while something changes. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Centrifuge } from 'centrifuge';
import { objectName } from '@causeway/crds';
import { answerOf, check, describeViolations, History, noteSubscription } from '../deliveries/index.ts';
import { zones } from '../lab/index.ts';
import {
  connect,
  gatewayPods,
  platformAccess,
  sdkClient,
  subscribe,
  type GatewayAddress,
  type PlatformAccess,
} from '../platform/index.ts';
import { eventually, type Scenario } from './support.ts';

/** A ready gateway of the zone. */
export async function gatewayIn(lab: Scenario, platform: string, zone: string): Promise<GatewayAddress> {
  const pods = await gatewayPods(lab.kube, { namespace: lab.namespace, name: platform });
  const pod = pods.find((one) => one.zone === zone);
  assert.ok(pod, `a ready gateway of ${platform} in ${zone}`);
  return pod;
}

/** Publishes in each of the zones, and waits until each of them has received from all of them. */
export async function exchange(
  lab: Scenario,
  platform: string,
  among: readonly string[] = zones,
  channel = 'chat:lobby',
): Promise<void> {
  const access = await platformAccess(lab.kube, lab.namespace, platform);
  const open: Centrifuge[] = [];
  const round = String(performance.now());
  const received = new Map(among.map((zone) => [zone, new Set<string>()]));
  try {
    for (const zone of among) {
      const address = await gatewayIn(lab, platform, zone);
      const client = await connect(await sdkClient(access, () => address, { user: zone }));
      open.push(client);
      await subscribe(client, channel, (data) => {
        const message = data as { from: string; round: string };
        if (message.round === round) received.get(zone)?.add(message.from);
      });
    }
    for (const [index, zone] of among.entries()) await open[index]?.publish(channel, { from: zone, round });
    for (const zone of among) {
      const all = async (): Promise<boolean> => received.get(zone)?.size === among.length;
      await eventually(`${zone} receives from ${among.join(', ')}`, all, 30_000);
    }
  } finally {
    for (const client of open) client.disconnect();
  }
}

/** Like {@link exchange}, tried again until it succeeds: parts of the platform may be coming back. */
export async function exchangeAgain(
  lab: Scenario,
  platform: string,
  among: readonly string[] = zones,
): Promise<void> {
  await eventually('messages flow between the zones', async () => {
    await exchange(lab, platform, among);
    return true;
  });
}

/** Pause after each publication, milliseconds: no load, only something that is always under way. */
const PAUSE_MS = 40;
/** Channels, so that several partitions are in use. */
const CHANNELS = Array.from({ length: 6 }, (_, index) => `chat:room-${index}`);

/** A client that receives: where it began, and what became of its connection. */
interface Receiver {
  readonly name: string;
  readonly zone: string;
  readonly received: Set<string>;
  /** How often it lost its connection. */
  lost: number;
  /** Subscriptions that it recovered after that. */
  recovered: number;
}

/**
 * A publisher, and in each zone a receiver that recovers: its first connection is to a gateway of the zone, so that whoever leaves
 * a zone has a client there. All else goes through the front Service as real clients do. What they saw is judged by the rules of
 * e2e/deliveries.
 */
export class Traffic {
  /** Publications that the platform acknowledged. */
  readonly acknowledged = new Set<string>();
  /** Publications that were answered by an error or a lost connection. */
  #refused = 0;
  readonly #history = new History();
  readonly #receivers: Receiver[] = [];
  /** What became of the receivers' connections. */
  readonly #story: string[] = [];
  readonly #began = performance.now();
  readonly #unrecovered: string[] = [];
  readonly #clients: Centrifuge[] = [];
  readonly #end = new AbortController();
  #publishing: Promise<void> = Promise.resolve();

  /** Starts the clients. `stop()` must be called. */
  static async start(lab: Scenario, platform: string): Promise<Traffic> {
    const traffic = new Traffic();
    const access = await platformAccess(lab.kube, lab.namespace, platform);
    const address = await frontAddress(lab, platform);
    try {
      for (const zone of zones) {
        const first = await eventually(`a gateway in ${zone}`, () => gatewayIn(lab, platform, zone));
        await traffic.#receive(access, first, address);
      }
      const publisher = await connect(await sdkClient(access, () => address, { user: 'publisher' }));
      traffic.#clients.push(publisher);
      traffic.#publishing = traffic.#publish(publisher);
      return traffic;
    } catch (error) {
      await traffic.stop();
      throw error;
    }
  }

  /** Ends the traffic. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#publishing;
    for (const client of this.#clients) client.disconnect();
  }

  /** Waits until `count` more publications are acknowledged. */
  async flows(count: number): Promise<void> {
    const goal = this.acknowledged.size + count;
    await eventually(`${count} more acknowledged publications`, async () => this.acknowledged.size >= goal);
  }

  /**
   * Waits until the receiver that began in `zone` has lost its connection and recovered. Without one that did, it says nothing that
   * nobody who recovered saw anything twice.
   */
  async movedFrom(zone: string): Promise<void> {
    const receiver = this.#receivers.find((one) => one.zone === zone);
    const moved = async (): Promise<true> => {
      const { name, lost, recovered } = receiver ?? { name: 'nobody', lost: 0, recovered: 0 };
      const said = `${name} lost its connection ${lost} times and recovered ${recovered} subscriptions`;
      assert.ok(lost > 0 && recovered > 0, `${said}\nThe receivers' connections:\n${this.#story.join('\n')}`);
      return true;
    };
    await eventually(`the client in ${zone} loses its connection and recovers`, moved, 60_000);
  }

  /** While `work` runs Redis may lose its streams: they may be others afterwards. */
  async losingStreams<T>(note: string, work: () => Promise<T>): Promise<T> {
    this.#history.add({ kind: 'fault', what: 'streams lost', note });
    try {
      return await work();
    } finally {
      this.#history.add({ kind: 'fault', what: 'streams whole', note });
    }
  }

  /**
   * Ends the publishing, and checks that all that was acknowledged reached every receiver, once, in one order for each
   * channel, and that everybody could recover.
   */
  async check(): Promise<string> {
    this.#end.abort();
    await this.#publishing;
    const hasAll = ({ received }: Receiver): boolean =>
      [...this.acknowledged].every((id) => received.has(id));
    // What is missing after that is said below.
    await eventually('all receivers have all', async () => this.#receivers.every(hasAll), 60_000).catch(
      () => undefined,
    );
    const violations = describeViolations(check(this.#history.events));
    if (violations !== '')
      assert.fail(`${violations}\nThe receivers' connections:\n${this.#story.join('\n')}`);
    assert.deepEqual(this.#unrecovered, [], 'subscriptions that could not recover');
    const counts = `${this.acknowledged.size} acknowledged, ${this.#refused} refused`;
    return `${counts}, none lost, none twice, all in order, longest silence ${this.longestSilence.toFixed(1)} s`;
  }

  /** The longest time between two publications that a receiver got, seconds. */
  get longestSilence(): number {
    const last = new Map<string, number>();
    let longest = 0;
    for (const event of this.#history.events) {
      if (event.kind !== 'delivered') continue;
      longest = Math.max(longest, event.ms - (last.get(event.subscriber) ?? event.ms));
      last.set(event.subscriber, event.ms);
    }
    return longest / 1_000;
  }

  async #receive(access: PlatformAccess, first: GatewayAddress, front: Address): Promise<void> {
    const { zone } = first;
    const subscriber = `receiver-${zone}`;
    const receiver: Receiver = { name: subscriber, zone, received: new Set(), lost: 0, recovered: 0 };
    this.#receivers.push(receiver);
    let address: Address = first;
    const client = await sdkClient(access, () => address, { user: subscriber });
    this.#clients.push(client);
    await connect(client);
    address = front;
    const tell = (what: string): void => void this.#story.push(`${this.#time()} ${subscriber} ${what}`);
    client.on('connecting', ({ code, reason }) => {
      receiver.lost += 1;
      tell(`connecting: ${code} ${reason}`);
    });
    client.on('connected', ({ client: id }) => tell(`connected as ${id}`));
    for (const channel of CHANNELS) {
      const subscription = client.newSubscription(channel);
      noteSubscription(subscription, { history: this.#history, subscriber, idOf });
      subscription.on('publication', ({ data }) => void receiver.received.add(idOf(data)));
      subscription.on('subscribed', ({ wasRecovering, recovered, streamPosition }) => {
        tell(`subscribed ${channel}: ${wasRecovering} ${recovered} ${JSON.stringify(streamPosition)}`);
        if (wasRecovering && recovered && receiver.lost > 0) receiver.recovered += 1;
        if (wasRecovering && !recovered) this.#unrecovered.push(`${subscriber} of ${channel}`);
      });
      subscription.subscribe();
      await subscription.ready(30_000);
    }
  }

  #time(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(2)} s`;
  }

  async #publish(publisher: Centrifuge): Promise<void> {
    for (let number = 0; !this.#end.signal.aborted; number += 1) {
      const id = `m${number}`;
      const channel = CHANNELS[number % CHANNELS.length] ?? '';
      this.#history.add({ kind: 'invoked', id, channel });
      try {
        await publisher.publish(channel, { id });
        this.#history.add({ kind: 'answered', id, answer: 'acknowledged' });
        this.acknowledged.add(id);
      } catch (error) {
        // Not acknowledged: the connection went or the platform said no. That is counted, and allowed.
        this.#history.add({ kind: 'answered', id, answer: answerOf(error) });
        this.#refused += 1;
      }
      await delay(PAUSE_MS);
    }
  }
}

function idOf(data: unknown): string {
  return (data as { id: string }).id;
}

type Address = { host: string; port: number };

interface EndpointSlice {
  endpoints?: { zone?: string; conditions: { ready?: boolean; serving?: boolean } }[] | null;
}

/** Zones of the gateways to which the front Service leads: those that are ready, and those that still serve. */
export async function frontZones(lab: Scenario, platform: string): Promise<Set<string | undefined>> {
  const of = `kubernetes.io/service-name=${objectName.gateway(platform)}`;
  const args = ['-n', lab.namespace, 'get', 'endpointslices', '-l', of];
  const { items } = await lab.kube.json<{ items: EndpointSlice[] }>(args);
  const leads = items
    .flatMap(({ endpoints }) => endpoints ?? [])
    // What is not said is true.
    .filter(({ conditions: { ready = true, serving = true } }) => ready || serving);
  return new Set(leads.map(({ zone }) => zone));
}

async function frontAddress(lab: Scenario, platform: string): Promise<Address> {
  const { spec } = await lab.kube.json<{ spec: { clusterIP: string; ports: { port: number }[] } }>([
    '-n',
    lab.namespace,
    'get',
    'service',
    objectName.gateway(platform),
  ]);
  return { host: spec.clusterIP, port: spec.ports[0]?.port ?? 443 };
}
