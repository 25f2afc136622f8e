/** operator/src/controller: the engine (caches, work queue, leader election, apply, events, health). Knows no MessagePlatform; imports nothing of ours but itself. */
export { abortable } from './backoff.ts';
export { systemClock } from './clock.ts';
export type { Clock } from './clock.ts';
export { isConflict, isExpired, isNotFound, isRefusal, KubeError } from './kube-api.ts';
export type {
  ApplyTarget,
  DeleteOptions,
  KubeApi,
  KubeList,
  KubeObject,
  ListOptions,
  ManagedFieldsEntry,
  ObjectMeta,
  ObjectRef,
  OwnerReference,
  ResourceKind,
  WatchEvent,
} from './kube-api.ts';
export { compareResourceVersions, keyOf, kindKey, objectKey, parseKey, refOf } from './keys.ts';
export {
  findCondition,
  isConditionTrue,
  removeCondition,
  setCondition,
  toMicroTime,
  toRfc3339,
} from './conditions.ts';
export type { Condition, ConditionInput, ConditionStatus } from './conditions.ts';
export { addFinalizer, hasFinalizer, removeFinalizer } from './finalizers.ts';
export { KeyedLock } from './keyed-lock.ts';
export { createLogger, describeError, logLevels, silentLogger } from './log.ts';
export type { LogFields, Logger, LoggerOptions, LogLevel } from './log.ts';
export { createMetrics, EngineMetrics } from './metrics.ts';
export { byLabel, byNamespacedLabel, byOwner, ObjectCache } from './object-cache.ts';
export type { Indexer } from './object-cache.ts';
export { Informer } from './informer.ts';
export type { ChangeHandlers, InformerOptions } from './informer.ts';
export { InformerSet } from './informer-set.ts';
export type { ObjectReader } from './informer-set.ts';
export { WorkQueue } from './work-queue.ts';
export type { WorkQueueOptions } from './work-queue.ts';
export { Controller, namedByLabel, ownerOfKind } from './controller.ts';
export type {
  ControllerOptions,
  KeyMapper,
  ReconcileContext,
  Reconciler,
  ReconcileResult,
} from './controller.ts';
export { Applier, ApplyMemory } from './applier.ts';
export type {
  Applied,
  ApplierOptions,
  ApplyFailure,
  ApplyItem,
  ApplyOptions,
  ApplyOutcome,
  ApplyReport,
} from './applier.ts';
export { FIELD_MANAGER, isQuantity, needsApply, normalizeDesired, whyApply } from './needs-apply.ts';
export type { NeedsApplyOptions, Remembered } from './needs-apply.ts';
export { recordWrites, WriteLedger } from './write-ledger.ts';
export { ApiEventRecorder, EVENT_KIND, noEvents } from './events.ts';
export type { ApiEventRecorderOptions, EventInput, EventRecorder, KubeEvent } from './events.ts';
export { startHealthServer } from './health.ts';
export type { HealthCheck, HealthServer, HealthServerOptions } from './health.ts';
export { stopOnSignals } from './stop.ts';
export type { StopOptions } from './stop.ts';
export { HttpKubeApi } from './http-kube-api.ts';
export type { HttpKubeApiOptions } from './http-kube-api.ts';
export { NetworkError } from './http-transport.ts';
export { loadKubeConfig } from './credentials.ts';
export type { KubeConfigOptions } from './credentials.ts';
export { fenced, FencedError } from './fence.ts';
export { LeaderElector } from './leader-election.ts';
export type { ElectionEnd, LeaderElectionOptions, LeaderPlace } from './leader-election.ts';
export { LEASE_KIND } from './lease.ts';
export type { Lease } from './lease.ts';
export { appliedFields } from './field-ownership.ts';
export type { FieldTree } from './field-ownership.ts';
export { findByKeys, isObject, keyValue, mergeKeysOf } from './merge-keys.ts';
export { sameQuantity } from './quantity.ts';
