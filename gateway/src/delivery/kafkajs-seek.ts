/** Lets clients of kafkajs 2.2.4 find a group's coordinator while some brokers are gone. */
import { setTimeout as delay } from 'node:timers/promises';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker, Sought } from 'kafkajs/src/cluster/index.js';
import { KafkaJSConnectionError } from 'kafkajs/src/errors.js';
import { isOf, OF_CONNECTION, OF_SEARCH } from './kafkajs-errors.ts';
import { within } from './within.ts';

/** How often it is asked who coordinates while there is none, or none that answers; and how long one that is asked is waited for alone. */
export const ASK_MS = 250;
/** For how long it is asked: about as long as kafkajs tries. */
const SEEK_MS = 2_500;
/** A connection that has not come about by then may never do. More than kafkajs takes for one (kafka-client.ts). */
const CONNECT_MS = 10_000;

/** For how long one that has answered counts as alive, milliseconds. */
const ALIVE_MS = 10_000;

/** Of each client, a broker that has answered, and until when it counts as alive. */
const alive = new WeakMap<BrokerPool, { broker: Broker; until: number }>();
/** Of each client, the brokers that it connects to since they coordinate, by id. */
const underWay = new WeakMap<Cluster, Map<string, Promise<Broker>>>();
let mended = false;

/**
 * kafkajs asks one broker after the other, in any order, and waits for each of them until its connection fails, 2 s; then for the
 * coordinator that it was told of, which is the one that is gone until Kafka has fenced it; and each time it pauses for longer. So
 * the next coordinator was found up to 2 s after it was there, and all wait for those who have not found it. Here those are asked first that
 * are connected, and one that says nothing does not keep others from being asked; and while the one that it was told of
 * does not answer it is asked again who it is.
 *
 * Whom it asks for all else, such as who leads partitions, is any that it is connected to, as it thinks. Here it is the coordinator, if that
 * has answered a seek or a heartbeat within the last {@link ALIVE_MS} and its connection has not failed since.
 */
export function mendKafkaSeeks(): void {
  if (mended) return;
  mended = true;
  mendPools();
  Cluster.prototype.findGroupCoordinator = async function seek(sought): Promise<Broker> {
    const deadline = performance.now() + SEEK_MS;
    for (;;) {
      const pause = delay(ASK_MS);
      try {
        const broker = await coordinatorNow(this, sought);
        hasAnswered(this, broker);
        return broker;
      } catch (error) {
        if (!isOf(error, OF_SEARCH) || performance.now() > deadline) throw error;
      }
      await pause;
    }
  };
}

/** For a while it is asked rather than others. */
export function hasAnswered({ brokerPool }: { brokerPool: BrokerPool }, broker: Broker): void {
  alive.set(brokerPool, { broker, until: performance.now() + ALIVE_MS });
}

function mendPools(): void {
  const { findConnectedBroker } = BrokerPool.prototype;
  BrokerPool.prototype.findConnectedBroker = async function findAlive(): Promise<Broker> {
    const { broker, until } = alive.get(this) ?? { until: 0 };
    const isAlive = performance.now() < until && broker?.isConnected();
    return isAlive && broker ? broker : findConnectedBroker.call(this);
  };
}

async function coordinatorNow(cluster: Cluster, sought: Sought): Promise<Broker> {
  if (Object.keys(cluster.brokerPool.brokers).length === 0) await cluster.refreshMetadata();
  const { coordinator } = await firstOf(askers(cluster, sought));
  const nodeId = String(coordinator.nodeId);
  const broker = await Promise.race([connectionTo(cluster, nodeId), delay(ASK_MS, undefined)]);
  if (!broker) throw new KafkaJSConnectionError(`broker ${nodeId}, which coordinates, does not answer yet`);
  return broker;
}

type Answer = Awaited<ReturnType<Broker['findGroupCoordinator']>>;

/** Of each client, how often it has sought. */
const times = new WeakMap<Cluster, number>();

/** Those who are connected come first; of these another one each time: what the last one said may have been old, and brings us back. */
function askers(cluster: Cluster, { groupId, coordinatorType = 0 }: Sought): (() => Promise<Answer>)[] {
  const { brokerPool } = cluster;
  const brokers = Object.entries(brokerPool.brokers);
  const connected = brokers.filter(([, broker]) => broker.isConnected());
  const others = brokers.filter(([, broker]) => !broker.isConnected());
  const nth = times.get(cluster) ?? 0;
  times.set(cluster, nth + 1);
  const first = nth % Math.max(connected.length, 1);
  return [...connected.slice(first), ...connected.slice(0, first), ...others].map(([nodeId]) => async () => {
    const broker = await brokerPool.findBroker({ nodeId });
    return broker.findGroupCoordinator({ groupId, coordinatorType });
  });
}

/** What one of them says. The next one is asked when one has failed, or has said nothing for a while. */
async function firstOf<T>(asks: readonly (() => Promise<T>)[]): Promise<T> {
  let isOver = false;
  let turn: Promise<unknown> = Promise.resolve();
  const answers = asks.map((ask) => {
    const began = turn;
    const answer = began.then(async () => {
      if (isOver) throw new Error('one has answered');
      const said = await ask();
      isOver = true;
      return said;
    });
    const failed = answer.catch(() => undefined);
    turn = began.then(() => Promise.race([failed, delay(ASK_MS)]));
    return answer;
  });
  try {
    return await Promise.any(answers);
  } catch (error) {
    const { errors } = error as AggregateError;
    // Who has answered knows more than who was not reached.
    throw errors.find((one) => !isOf(one, OF_CONNECTION)) ?? errors[0] ?? error;
  }
}

/** One that is under way is waited for, also by those who ask later. */
function connectionTo(cluster: Cluster, nodeId: string): Promise<Broker> {
  const connections = underWay.get(cluster) ?? new Map<string, Promise<Broker>>();
  underWay.set(cluster, connections);
  const begun = connections.get(nodeId);
  if (begun) return begun;
  const connecting = within(CONNECT_MS, 'connection to the coordinator', cluster.findBroker({ nodeId }));
  const made = connecting.finally(() => connections.delete(nodeId));
  // There may be nobody any more who waits for it.
  made.catch(() => undefined);
  connections.set(nodeId, made);
  return made;
}
