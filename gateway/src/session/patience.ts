/** How long a client may hear nothing before it takes its connection for dead. */
import type { GatewayConfig } from '@causeway/crds';

/**
 * What SDKs wait on top of the ping interval that they are told, unless they are set otherwise: `maxServerPingDelay` of
 * centrifuge-js 5.8, centrifuge-go 0.9 and centrifuge-python 0.7.
 */
const SDK_PATIENCE_MS = 10_000;

/**
 * The ping interval to tell a client, seconds. It gives up after a silence of this and of its own patience; so with what SDKs
 * have as default it waits for as long as the gateway does, an interval and the time for an answer. Never longer than the
 * interval is, and at least a second, since 0 says that no pings come.
 */
export function toldInterval({ intervalMs, timeoutMs }: GatewayConfig['heartbeat']): number {
  const interval = Math.ceil(intervalMs / 1000);
  const enough = Math.ceil((intervalMs + timeoutMs - SDK_PATIENCE_MS) / 1000);
  return Math.min(interval, Math.max(1, enough));
}
