/**
 * gateway/src/sync: `/sync`, the platform's etcd for applications: the present state and each change of it, resumable in
 * every zone (docs/adr/0053). Imports auth, etcd, log, mounted, crds and the transport's types.
 *
 * `position`, `resume`, `rights`, `transaction`, `message`, `grpc-web` and `cors` decide and do no I/O; `reader` and
 * `feed` read etcd; `stream` is one client's; `service` meets the transport.
 */
export { Feed } from './feed.ts';
export { SyncFailure } from './failure.ts';
export { SyncService } from './service.ts';
export type { FollowedKey } from './followed-key.ts';
export type { SyncStream } from './stream.ts';
