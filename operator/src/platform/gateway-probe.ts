/** What gateways and replicators say at their admin endpoint of drains and of replication. */
import { ADMIN_PATH, PORT, type DrainState, type ReplicationState } from '@causeway/crds';

/** Looks at pods by their address. Both reject when there is no answer. */
export interface GatewayProbe {
  drain(host: string): Promise<DrainState>;
  replication(host: string): Promise<ReplicationState>;
}

/** Time for one answer, its connection included; milliseconds. */
const TIMEOUT = 1_000;

/** Real pods. */
export const gatewayProbe: GatewayProbe = {
  drain: (host) => ask<DrainState>(host, ADMIN_PATH.drain),
  replication: (host) => ask<ReplicationState>(host, ADMIN_PATH.replication),
};

async function ask<T>(host: string, path: string): Promise<T> {
  const address = host.includes(':') ? `[${host}]` : host;
  const response = await fetch(`http://${address}:${PORT.admin}${path}`, {
    signal: AbortSignal.timeout(TIMEOUT),
    // A connection that is kept would outlive the pod.
    headers: { connection: 'close' },
  });
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return (await response.json()) as T;
}
