/** gateway/src/replicate/testing: what the integration tests of replication share. Imports e2e/harness, log and etcd3. */
export { checkHistory, readHistory, sameKeys } from './history.ts';
export type { HistoryEntry } from './history.ts';
export { RandomWriter } from './writer.ts';
export { Zone } from './zones.ts';
export { endReplicatorProcesses, startReplicatorProcess } from './process.ts';
export type { ReplicatorProcess } from './process.ts';
export { startTlsProxy } from './tls-proxy.ts';
export type { TlsProxy } from './tls-proxy.ts';
export { replicatorConfig, silent } from './replicators.ts';
export { figures } from './figures.ts';
