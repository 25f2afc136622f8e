/** What the operator needs of Kubernetes, small enough that the simulator can stand in for it. */

/** A kind of object and where it lives in the API. */
export interface ResourceKind {
  /** Such as `apps/v1`, or `v1` for the core group. */
  apiVersion: string;
  kind: string;
  /** Plural, lower case, as in URLs. */
  plural: string;
  namespaced: boolean;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

/** Who owns which fields (server-side apply, KEP-555). */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  subresource?: string;
  fieldsV1?: object;
  /** In place of `fieldsV1` in a cache: the same as JSON. */
  fieldsText?: string;
}

/** Any Kubernetes object; `spec`, `data` and the rest are the caller's to know. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ObjectRef {
  namespace?: string;
  name: string;
}

export interface ListOptions {
  /** Left out: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface KubeList<T extends KubeObject> {
  resourceVersion: string;
  items: T[];
}

export type WatchEvent<T extends KubeObject> =
  { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T } | { type: 'BOOKMARK'; resourceVersion: string };

export interface DeleteOptions {
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** An answer of the API server that is not a success; `code` and `reason` as in metav1.Status. */
export class KubeError extends Error {
  override name = 'KubeError';
  readonly code: number;
  readonly reason: string;
  /** Seconds that the server asked to wait (429, 503), if it did. */
  readonly retryAfter: number | undefined;
  /** Method and path of what was asked, if the answer came over HTTP. */
  readonly request: string | undefined;

  constructor(
    message: string,
    status: { code: number; reason: string; retryAfter?: number | undefined; request?: string | undefined },
  ) {
    super(message);
    this.request = status.request;
    this.code = status.code;
    this.reason = status.reason;
    this.retryAfter = status.retryAfter;
  }
}

/** True for "it is not there". */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.code === 404;
}

/** True for "it changed under you" (optimistic locking) and "it is already there". */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === 409;
}

/** True for "that resource version is too old" (410 Gone): list anew. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && error.code === 410;
}

/** 4xx that another try does not change; conflicts, throttling and time-outs do pass. */
export function isRefusal(error: unknown): error is KubeError {
  return (
    error instanceof KubeError &&
    error.code >= 400 &&
    error.code < 500 &&
    ![408, 409, 410, 429].includes(error.code)
  );
}

/** Where an apply goes, and as whom. */
export interface ApplyTarget {
  subresource?: 'status';
  /** Field manager; default: `causeway`. One that writes fields beside another must not take the other's away. */
  manager?: string;
}

/** The Kubernetes API. Every method throws {@link KubeError} for an answer that is not a success. */
export interface KubeApi {
  /** Lists whole, over all pages. */
  list<T extends KubeObject>(kind: ResourceKind, options?: ListOptions): Promise<KubeList<T>>;
  /** Ends when the server ends it or `signal` aborts; throws on every other end. */
  watch<T extends KubeObject>(
    kind: ResourceKind,
    options: ListOptions & { resourceVersion: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** Undefined when it is not there. */
  get<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef): Promise<T | undefined>;
  create<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T>;
  /** PUT: fails with a conflict unless `object.metadata.resourceVersion` is the latest. */
  update<T extends KubeObject>(kind: ResourceKind, object: T): Promise<T>;
  /** Server-side apply, forced; creates what is not there. */
  apply<T extends KubeObject>(kind: ResourceKind, object: T, options?: ApplyTarget): Promise<T>;
  /** JSON merge patch (RFC 7386). With `metadata.resourceVersion` in the patch, guarded by it. */
  mergePatch<T extends KubeObject>(kind: ResourceKind, ref: ObjectRef, patch: object): Promise<T>;
  /** Does not fail when it is not there. */
  delete(kind: ResourceKind, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
}
