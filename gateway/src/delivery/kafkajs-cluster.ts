/** The cluster object inside a client of kafkajs 2.2.4, which has what its public interface lacks. The one file that knows how to come by it. */
import type { Kafka } from 'kafkajs';

/** What kafkajs keeps to itself of a cluster, as far as we use it. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  /** See kafkajs-seek.ts. */
  findGroupCoordinator(of: { groupId: string }): Promise<ClusterBroker>;
  brokerPool: {
    /** One that is connected, or the first of the others that can be. */
    findConnectedBroker(): Promise<ClusterBroker>;
  };
}

export interface ClusterBroker {
  /** By API key, what it serves. */
  versions: Record<number, { minVersion: number; maxVersion: number } | undefined>;
  connectionPool: { send<T>(call: { request: object; response: object }): Promise<T> };
  /** `state` Dead: this broker knows of no such group, also when it coordinates it and has not read it from Kafka yet. */
  describeGroups(of: { groupIds: string[] }): Promise<{ groups: DescribedGroup[] }>;
  /** Any member, not only ourselves. */
  leaveGroup(who: { groupId: string; memberId: string }): Promise<unknown>;
}

export interface DescribedGroup {
  state: string;
  members: DescribedMember[];
}

/** A member as its group's coordinator knows it. */
export interface DescribedMember {
  memberId: string;
  clientId: string;
  /** Where it came from when it joined, as Java prints an address: `/10.244.2.5`, `/fd00:0:0:0:0:0:0:5`. */
  clientHost: string;
}

/** kafkajs makes a cluster for each of its clients, by a method whose name is a symbol that it does not export. */
export function clusterOf(client: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = name && (client as unknown as Record<symbol, unknown>)[name];
  if (typeof create !== 'function') throw new Error('this version of kafkajs has no cluster that we know');
  return (create as (options: object) => Cluster)({ allowAutoTopicCreation: false });
}
