/** What a platform would be after its file is applied: asked of the API server, which stores nothing. */
import {
  KubeError,
  isConflict,
  isObject,
  refOf,
  type KubeApi,
  type KubeObject,
} from '../controller/index.ts';
import { KIND, type MessagePlatform } from '../platform/index.ts';
import type { PlatformFile } from './plan-files.ts';

/** A platform before and after an apply. */
export interface TriedApply {
  /** As it is now; undefined: it is not there. */
  before: MessagePlatform | undefined;
  /** As it would be: checked, with defaults. */
  after: MessagePlatform;
  /** The namespace is not there yet. */
  newNamespace: boolean;
}

/** The API server to ask, and the same one where writes are only tried, as a given field manager. */
export interface Trial {
  api: Pick<KubeApi, 'get'>;
  dryRun: (manager?: string) => Pick<KubeApi, 'create' | 'update' | 'apply'>;
}

/** Where a platform is checked whose own namespace is yet to be made. */
const ANY_NAMESPACE = 'default';
/** In place of the UID that a platform gets when it is created. */
export const NEW_UID = 'given-at-creation';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** The operator may write status between our read and our try. */
const ATTEMPTS = 5;

/**
 * Tries to apply a file as its last apply was made: by server-side apply, or by kubectl's three-way merge.
 * Throws what the API server says of an invalid platform. `namespaces`: those that the files bring.
 */
export async function tryApply(
  trial: Trial,
  file: PlatformFile,
  namespaces: ReadonlySet<string>,
): Promise<TriedApply> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await trial.api.get<MessagePlatform>(KIND.platform, refOf(file));
    if (before === undefined) return tryCreate(trial, file, namespaces);
    try {
      return { before, after: await tryChange(trial, before, file), newNamespace: false };
    } catch (error) {
      if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
    }
  }
}

async function tryCreate(
  trial: Trial,
  file: PlatformFile,
  namespaces: ReadonlySet<string>,
): Promise<TriedApply> {
  const create = trial.dryRun('kubectl');
  const { namespace } = file.metadata;
  try {
    const after = (await create.create(KIND.platform, file)) as unknown as MessagePlatform;
    return { before: undefined, after: withoutIdentity(after, namespace), newNamespace: false };
  } catch (error) {
    if (!isMissingNamespace(error, namespace)) throw error;
    if (!namespaces.has(namespace))
      throw new Error(
        `namespace ${namespace} does not exist. Create it (kubectl create namespace ${namespace}), or add it to the file.`,
        { cause: error },
      );
  }
  const elsewhere = { ...file, metadata: { ...file.metadata, namespace: ANY_NAMESPACE } };
  const after = (await create.create(KIND.platform, elsewhere)) as unknown as MessagePlatform;
  return { before: undefined, after: withoutIdentity(after, namespace), newNamespace: true };
}

/** The server made up an identity for this try; a plan must say the same each time. */
function withoutIdentity(platform: MessagePlatform, namespace: string): MessagePlatform {
  return { ...platform, metadata: { ...platform.metadata, namespace, uid: NEW_UID } };
}

function isMissingNamespace(error: unknown, namespace: string): boolean {
  return (
    error instanceof KubeError &&
    error.code === 404 &&
    error.message.includes(`namespaces "${namespace}" not found`)
  );
}

async function tryChange(
  trial: Trial,
  before: MessagePlatform,
  file: PlatformFile,
): Promise<MessagePlatform> {
  const manager = appliedBy(before);
  if (manager !== undefined)
    return (await trial.dryRun(manager).apply(KIND.platform, file)) as unknown as MessagePlatform;
  const merged = threeWayMerge(before, file, lastApplied(before)) as MessagePlatform;
  return trial.dryRun('kubectl').update(KIND.platform, merged);
}

/** Who keeps the spec by server-side apply, if anybody does. */
function appliedBy(platform: MessagePlatform): string | undefined {
  const { metadata }: KubeObject = platform;
  return metadata.managedFields?.find(
    ({ operation, subresource, fieldsV1 }) =>
      operation === 'Apply' && (subresource ?? '') === '' && fieldsV1 !== undefined && 'f:spec' in fieldsV1,
  )?.manager;
}

function lastApplied(platform: MessagePlatform): unknown {
  const text = platform.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Somebody edited it; kubectl then knows of no field to take away either.
  }
}

/**
 * `live` with what `file` says, and without what `last` said and `file` no longer does; the rest stays. Lists are
 * replaced whole, as kubectl does for custom resources.
 */
export function threeWayMerge(live: unknown, file: unknown, last: unknown): unknown {
  if (!isObject(file) || !isObject(live)) return file;
  const dropped = isObject(last) ? Object.keys(last).filter((key) => !(key in file)) : [];
  const kept = Object.entries(live).filter(([key]) => !dropped.includes(key));
  const merged = Object.entries(file).map(([key, value]) => [
    key,
    threeWayMerge(live[key], value, isObject(last) ? last[key] : undefined),
  ]);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(merged) };
}

/** What people compare of a platform: what they write, without what the server and kubectl keep. */
export function wishOf(platform: MessagePlatform): object {
  const { labels, annotations, name, namespace } = platform.metadata;
  const own = Object.entries(annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return {
    apiVersion: platform.apiVersion,
    kind: platform.kind,
    metadata: {
      name,
      namespace,
      ...(Object.keys(labels ?? {}).length === 0 ? {} : { labels }),
      ...(own.length === 0 ? {} : { annotations: Object.fromEntries(own) }),
    },
    spec: platform.spec,
  };
}
