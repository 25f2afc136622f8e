/** Lets consumers of kafkajs 2.2.4 be one member of their group, however often they try to join it, and none once they are stopped. */
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import type { JoinGroupAnswer } from 'kafkajs/src/consumer/consumerGroup.js';
import Runner from 'kafkajs/src/consumer/runner.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { requests } from 'kafkajs/src/protocol/requests/index.js';

/** API keys in Kafka's protocol guide. */
const JOIN_GROUP = 11;
const LEAVE_GROUP = 13;
/** From this version of JoinGroup on who has no id is only given one, and joins with that (KIP-394). Kafka serves it since 2.2. */
const WITH_IDS = 4;
/** MEMBER_ID_REQUIRED in Kafka's protocol guide. */
const MEMBER_ID_REQUIRED = 79;
/** kafkajs has two connections to a broker, and uses this one for fetches only. */
const OF_FETCHES = 1;

/** Nobody may join any more. */
export class StoppedError extends Error {
  /** To kafkajs: it is not to be tried again. */
  readonly retriable = false;

  constructor() {
    super('the consumer was stopped while it joined');
    this.name = 'StoppedError';
  }
}

/** Those whose last join succeeded, and those that are not to join any more. */
const joined = new WeakSet<ConsumerGroup>();
const stopped = new WeakSet<ConsumerGroup>();
let mended = false;

/**
 * Who is new in a group is given an id, and joins with it. kafkajs forgets the id when that fails: when the connection broke, or took
 * too long, it joins under another one, and the first stays in the group as a ghost. Kafka hears nothing of a connection that breaks while
 * somebody waits on it for the others, so all wait for the ghost until its session is over, and it may have been made the group's
 * leader. Here it is kept, and whoever comes again is who it was.
 *
 * And a consumer that is told to stop while it joins did so only when it had joined: it tried on for as long as that took, beside the
 * one that was made in its place, and then left at the cost of another rebalance. Here it leaves at once, and does not try again.
 *
 * To be called after mendKafkaCoordinators, whose way of joining this is put around.
 */
export function mendKafkaJoins(): void {
  if (mended) return;
  mended = true;
  const { joinAndSync } = ConsumerGroup.prototype;
  ConsumerGroup.prototype.joinAndSync = async function joinUnlessStopped(): Promise<void> {
    joined.delete(this);
    await joinAndSync.call(this);
    await endIfStopped(this);
    joined.add(this);
  };
  mendAttempts();
  mendStop();
}

/** What kafkajs does for each attempt: it finds the coordinator, and joins there. Its name is a symbol that it does not export. */
function mendAttempts(): void {
  const prototype = ConsumerGroup.prototype as unknown as Record<
    symbol,
    (this: ConsumerGroup) => Promise<void>
  >;
  const name = Object.getOwnPropertySymbols(prototype).find(
    ({ description }) => description === 'private:ConsumerGroup:join',
  );
  const attempt = name && prototype[name];
  if (!attempt) throw new Error('this version of kafkajs joins in a way that we do not know');
  prototype[name] = async function joinAsOne(): Promise<void> {
    await endIfStopped(this);
    this.memberId ??= await newId(this);
    await endIfStopped(this);
    const { groupId, memberId } = this;
    // Who listens knows when it began to wait for the others: what it took to get there says nothing of them.
    this.instrumentationEmitter.emit('consumer.rebalancing', { groupId, memberId });
    await attempt.call(this);
  };
}

function mendStop(): void {
  const { stop } = Runner.prototype;
  Runner.prototype.stop = async function stopJoining(): Promise<void> {
    const group = this.consumerGroup;
    stopped.add(group);
    // One that has joined leaves by itself, when it has ended its fetches.
    if (!this.running || !joined.has(group)) await leaveAtOnce(group);
    await stop.call(this);
  };
}

async function endIfStopped(group: ConsumerGroup): Promise<void> {
  if (!stopped.has(group)) return;
  await leaveAtOnce(group);
  throw new StoppedError();
}

/** Null: Kafka is too old for that, and gives it when it has joined. */
async function newId(group: ConsumerGroup): Promise<string | null> {
  const { cluster, groupId, sessionTimeout, rebalanceTimeout, assigners, topicsSubscribed } = group;
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  // It is where a member leaves that is stopped before it has joined.
  group.coordinator = coordinator;
  if ((coordinator.versions?.[JOIN_GROUP]?.maxVersion ?? 0) < WITH_IDS) return null;
  const groupProtocols = assigners.map((assigner) => assigner.protocol({ topics: topicsSubscribed }));
  const asked = {
    groupId,
    sessionTimeout,
    rebalanceTimeout,
    memberId: '',
    protocolType: 'consumer',
    groupProtocols,
  };
  const { request, response } = coordinator.lookupRequest(JOIN_GROUP, requests.JoinGroup)(asked);
  return coordinator.connectionPool.send({ request, response: { decode: response.decode, parse: idIn } });
}

async function idIn({ errorCode, memberId }: JoinGroupAnswer): Promise<string> {
  if (errorCode !== 0 && errorCode !== MEMBER_ID_REQUIRED) throw createErrorFromCode(errorCode);
  return memberId;
}

/**
 * Not on the connection on which it may be waiting to have joined: Kafka reads nothing more there until then. That wait is ended by
 * it. Never rejects: whom this does not reach is told by the session.
 */
async function leaveAtOnce(group: ConsumerGroup): Promise<void> {
  const { groupId, memberId, coordinator } = group;
  if (memberId === null || !coordinator) return;
  try {
    const connection = await coordinator.connectionPool.getConnection(OF_FETCHES);
    await connection.send(coordinator.lookupRequest(LEAVE_GROUP, requests.LeaveGroup)({ groupId, memberId }));
  } catch (error) {
    if ((error as { type?: string }).type !== 'UNKNOWN_MEMBER_ID') {
      const { message } = error as Error;
      group.logger.debug('The group was not told that a member leaves', { groupId, error: message });
      return;
    }
  }
  if (group.memberId === memberId) group.memberId = null;
}
