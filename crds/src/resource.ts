import type { DrillScheduleSpec, DrillScheduleStatus } from './drillschedule.ts';
import type { MessagePlatformSpec, MessagePlatformStatus } from './messageplatform.ts';
import type { ZoneFailoverSpec, ZoneFailoverStatus } from './zonefailover.ts';

/** Points from an object to its owner, as in metav1.OwnerReference. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Metadata of an object that the apiserver has stored, as in metav1.ObjectMeta, as far as we read it. */
export interface StoredObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  /** Opaque; only ever compared for equality. */
  resourceVersion: string;
  /** Grows with each change of the spec. */
  generation: number;
  /** RFC 3339. */
  creationTimestamp: string;
  /** RFC 3339; there once the object is being deleted. */
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  /** Who owns which fields (server-side apply). */
  managedFields?: { manager?: string; operation?: string; subresource?: string; fieldsV1?: object }[];
}

/** A MessagePlatform as the apiserver gives it: all defaults are filled in. */
export interface MessagePlatform {
  apiVersion: 'causeway.dev/v1alpha1';
  kind: 'MessagePlatform';
  metadata: StoredObjectMeta;
  spec: MessagePlatformSpec;
  /** Left out until the operator has seen the platform once. */
  status?: MessagePlatformStatus;
}

/** A ZoneFailover as the apiserver gives it: all defaults are filled in. */
export interface ZoneFailover {
  apiVersion: 'causeway.dev/v1alpha1';
  kind: 'ZoneFailover';
  metadata: StoredObjectMeta;
  spec: ZoneFailoverSpec;
  /** Left out until the operator has seen it once. */
  status?: ZoneFailoverStatus;
}

/** A DrillSchedule as the apiserver gives it: all defaults are filled in. */
export interface DrillSchedule {
  apiVersion: 'causeway.dev/v1alpha1';
  kind: 'DrillSchedule';
  metadata: StoredObjectMeta;
  spec: DrillScheduleSpec;
  /** Left out until the operator has seen it once. */
  status?: DrillScheduleStatus;
}
