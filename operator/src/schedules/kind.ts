import { API_GROUP_VERSION } from '@causeway/crds';
import type { ResourceKind } from '../controller/kube-api.ts';

export const SCHEDULE_KIND: ResourceKind = {
  apiVersion: API_GROUP_VERSION,
  kind: 'DrillSchedule',
  plural: 'drillschedules',
  namespaced: true,
};
