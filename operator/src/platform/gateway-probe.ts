/** What gateways and replicators say at their admin endpoint of drains, of other zones, and of replication. */
import { ADMIN_PATH, type DrainState, type ReplicationState, type ZoneView } from '@causeway/crds';
import { askPod } from './pod-admin.ts';

/** Looks at pods by their address. All reject when there is no answer. */
export interface GatewayProbe {
  drain(host: string): Promise<DrainState>;
  /** Which other zones a gateway reaches. */
  zones(host: string): Promise<ZoneView>;
  replication(host: string): Promise<ReplicationState>;
}

/** Time for one answer, its connection included; milliseconds. */
const TIMEOUT = 1_000;

/** Real pods. */
export const gatewayProbe: GatewayProbe = {
  drain: (host) => askPod(host, ADMIN_PATH.drain, TIMEOUT),
  zones: (host) => askPod(host, ADMIN_PATH.zones, TIMEOUT),
  replication: (host) => askPod(host, ADMIN_PATH.replication, TIMEOUT),
};
