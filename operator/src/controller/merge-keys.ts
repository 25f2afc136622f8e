/** Which lists of Kubernetes objects are maps in disguise, and by which keys (the API's list-type markers). Pure. */

/** A path of field names; list elements have no entry of their own. */
export type FieldNames = readonly string[];

/** Lists whose elements have a name of some kind, wherever they are. */
const BY_NAME: Record<string, readonly string[]> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  imagePullSecrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  resourceClaims: ['name'],
  ownerReferences: ['uid'],
  conditions: ['type'],
};

/** The values that the API server puts in for keys that are left out. */
const KEY_DEFAULTS: Record<string, unknown> = { protocol: 'TCP' };

/** The keys of the list at `path` in an object of `kind`; undefined for a list that is compared as a whole. */
export function mergeKeysOf(kind: string, path: FieldNames): readonly string[] | undefined {
  const name = path.at(-1) ?? '';
  if (name === 'ports') {
    if (path.at(-2) === 'containers' || path.at(-2) === 'initContainers')
      return ['containerPort', 'protocol'];
    return kind === 'Service' ? ['port', 'protocol'] : undefined;
  }
  if (kind === 'ServiceAccount' && name === 'secrets') return ['name'];
  return BY_NAME[name];
}

/** The value of a key in a list element, with the API server's default when it is left out. */
export function keyValue(element: unknown, key: string): unknown {
  const value = isObject(element) ? element[key] : undefined;
  return value === undefined ? KEY_DEFAULTS[key] : value;
}

/** The element of `list` that has the same keys as `element`. */
export function findByKeys(list: readonly unknown[], element: unknown, keys: readonly string[]): unknown {
  return list.find((each) => keys.every((key) => keyValue(each, key) === keyValue(element, key)));
}

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON with sorted keys: equal text for equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
