/**
 * gateway/src/etcd: one etcd as `serve` and `replicate` use it: calls, watches, whole revisions, the checkpoint. May
 * import crds, names and npm packages; nothing else of the gateway.
 */
export {
  changeBytes,
  changesBytes,
  coversPrefixes,
  isOwnKey,
  keyId,
  normalizePrefixes,
  prefixRange,
} from './changes.ts';
export type { Change, KeyRange, KeyValue, RevisionedChange, SourceRevision } from './changes.ts';
export { CheckpointError, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
export { CredentialsError, readCredentials, sameCredentials } from './credentials.ts';
export type { Credentials } from './credentials.ts';
export { CompactedError, EtcdClient, RefusedError } from './etcd.ts';
export type { SourceHead } from './etcd.ts';
export { decodeFence, decodeHomes, mergeHomes, RecordError, unreplicated } from './homes.ts';
export type { Unreplicated } from './homes.ts';
export { RevisionMerger } from './merge.ts';
export { WatchCompactedError } from './watch.ts';
export type { Watch, WatchHeader } from './watch.ts';
