/** What the API server fills in, and what it refuses to change. As much as the operator's objects meet. */
import { KubeError } from '../controller/kube-api.ts';
import { withCrdDefaults } from './crd-schema.ts';
import { isRecord, sameJson, type Json } from './json.ts';

/** Fills in defaults, in place of what is missing. Returns a new object where something was. */
export function withDefaults(object: Json, assign: { clusterIp: () => string }): Json {
  switch (object.kind) {
    case 'MessagePlatform':
    case 'ZoneFailover':
    case 'DrillSchedule':
      return withCrdDefaults(object.kind, object);
    case 'Deployment':
      return { ...object, spec: deploymentSpec(object.spec as Json) };
    case 'StatefulSet':
      return { ...object, spec: statefulSetSpec(object.spec as Json) };
    case 'Service':
      return { ...object, spec: serviceSpec(object.spec as Json, assign.clusterIp) };
    default:
      return object;
  }
}

function deploymentSpec(spec: Json): Json {
  return {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    ...spec,
    template: podTemplate(spec.template as Json),
  };
}

function statefulSetSpec(spec: Json): Json {
  const claims = (spec.volumeClaimTemplates ?? []) as Json[];
  return {
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    ...spec,
    template: podTemplate(spec.template as Json),
    volumeClaimTemplates: claims.map((claim) => ({
      status: { phase: 'Pending' },
      ...claim,
      spec: { volumeMode: 'Filesystem', ...(claim.spec as Json) },
    })),
  };
}

function podTemplate(template: Json): Json {
  const spec = template.spec as Json;
  const account = spec.serviceAccountName;
  return {
    ...template,
    spec: {
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      ...(account === undefined ? {} : { serviceAccount: account }),
      ...spec,
      containers: ((spec.containers ?? []) as Json[]).map(container),
      volumes: ((spec.volumes ?? []) as Json[]).map(volume),
    },
  };
}

function container(given: Json): Json {
  const result: Json = {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    resources: {},
    ...given,
  };
  for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    if (isRecord(result[name])) result[name] = probe(result[name]);
  }
  if (isRecord(given.resources)) result.resources = canonicalResources(given.resources);
  const env = (given.env ?? []) as Json[];
  if (env.length > 0) result.env = env.map(variable);
  return result;
}

/** Whole cores are stored without the "m": 1000m is 1. */
function canonicalResources(resources: Json): Json {
  const canonical = (quantity: unknown): unknown => {
    const [, cores] = /^(\d+)000m$/.exec(String(quantity)) ?? [];
    return cores ?? quantity;
  };
  return Object.fromEntries(
    Object.entries(resources).map(([name, of]) => [
      name,
      isRecord(of)
        ? Object.fromEntries(Object.entries(of).map(([key, value]) => [key, canonical(value)]))
        : of,
    ]),
  );
}

function probe(given: Json): Json {
  const httpGet = isRecord(given.httpGet) ? { httpGet: { scheme: 'HTTP', ...given.httpGet } } : {};
  return {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
    ...given,
    ...httpGet,
  };
}

function variable(given: Json): Json {
  return isRecord(given.valueFrom) ? { ...given, valueFrom: withFieldRef(given.valueFrom) } : given;
}

function volume(given: Json): Json {
  const result: Json = { ...given };
  for (const name of ['secret', 'configMap', 'downwardAPI']) {
    if (isRecord(result[name])) result[name] = { defaultMode: 0o644, ...result[name] };
  }
  const downward = result.downwardAPI;
  if (isRecord(downward))
    result.downwardAPI = { ...downward, items: ((downward.items ?? []) as Json[]).map(withFieldRef) };
  return result;
}

function withFieldRef(given: Json): Json {
  return isRecord(given.fieldRef) ? { ...given, fieldRef: { apiVersion: 'v1', ...given.fieldRef } } : given;
}

function serviceSpec(spec: Json, clusterIp: () => string): Json {
  const ip = spec.clusterIP ?? clusterIp();
  return {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    ...spec,
    clusterIP: ip,
    clusterIPs: [ip],
  };
}

/** Fields of a StatefulSet's spec that may change. */
const STATEFUL_SET_MUTABLE = new Set([
  'replicas',
  'template',
  'updateStrategy',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
  'revisionHistoryLimit',
  'ordinals',
]);

/** Refuses changes of what cannot change, as the API server does (422). */
export function checkImmutable(before: Json, after: Json): void {
  const old = before.spec as Json | undefined;
  const now = after.spec as Json | undefined;
  const fixed =
    before.kind === 'StatefulSet'
      ? Object.keys(old ?? {}).filter((name) => !STATEFUL_SET_MUTABLE.has(name))
      : before.kind === 'Deployment'
        ? ['selector']
        : before.kind === 'Service'
          ? ['clusterIP']
          : [];
  const name = fixed.find((field) => !sameJson(old?.[field], now?.[field]));
  if (name === undefined) return;
  throw new KubeError(
    `${String(before.kind)} "${String((before.metadata as Json).name)}" is invalid: spec.${name}: field is immutable`,
    { code: 422, reason: 'Invalid' },
  );
}
