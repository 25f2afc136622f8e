/** What gateways and replicators say at their admin endpoint of drains and of replication. */
import { ADMIN_PATH, type DrainState, type ReplicationState } from '@causeway/crds';
import { askPod } from './pod-admin.ts';

/** Looks at pods by their address. Both reject when there is no answer. */
export interface GatewayProbe {
  drain(host: string): Promise<DrainState>;
  replication(host: string): Promise<ReplicationState>;
}

/** Time for one answer, its connection included; milliseconds. */
const TIMEOUT = 1_000;

/** Real pods. */
export const gatewayProbe: GatewayProbe = {
  drain: (host) => askPod(host, ADMIN_PATH.drain, TIMEOUT),
  replication: (host) => askPod(host, ADMIN_PATH.replication, TIMEOUT),
};
