import { API_GROUP, API_GROUP_VERSION } from '@causeway/crds';
import type { ResourceKind } from '../controller/kube-api.ts';

export const FAILOVER_KIND: ResourceKind = {
  apiVersion: API_GROUP_VERSION,
  kind: 'ZoneFailover',
  plural: 'zonefailovers',
  namespaced: true,
};

/** Holds a ZoneFailover until what it took is given back. */
export const FAILOVER_FINALIZER = `${API_GROUP}/failover`;
