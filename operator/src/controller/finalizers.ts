/** Finalizers, added and removed so that nobody else's are lost. */
import { refOf } from './keys.ts';
import { isNotFound } from './kube-api.ts';
import type { KubeApi, KubeObject, ResourceKind } from './kube-api.ts';

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) === true;
}

/**
 * Adds `finalizer`, unless it is there. Fails with a conflict when `object` is not the latest version:
 * a merge patch replaces the whole list, so a stale one would drop what others added.
 */
export async function addFinalizer<T extends KubeObject>(
  api: KubeApi,
  kind: ResourceKind,
  object: T,
  finalizer: string,
): Promise<T> {
  if (hasFinalizer(object, finalizer)) return object;
  return patchFinalizers(api, kind, object, [...(object.metadata.finalizers ?? []), finalizer]);
}

/**
 * Removes `finalizer`, if it is there; with it may go the object. Fails with a conflict when `object` is not
 * the latest version. An object that is already gone is a success: undefined.
 */
export async function removeFinalizer<T extends KubeObject>(
  api: KubeApi,
  kind: ResourceKind,
  object: T,
  finalizer: string,
): Promise<T | undefined> {
  if (!hasFinalizer(object, finalizer)) return object;
  const left = object.metadata.finalizers?.filter((each) => each !== finalizer) ?? [];
  try {
    return await patchFinalizers(api, kind, object, left);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function patchFinalizers<T extends KubeObject>(
  api: KubeApi,
  kind: ResourceKind,
  object: T,
  finalizers: string[],
): Promise<T> {
  const { uid, resourceVersion } = object.metadata;
  if (resourceVersion === undefined) {
    throw new Error(
      `${kind.kind} ${object.metadata.name}: no resourceVersion, so its finalizers can't be changed safely`,
    );
  }
  return api.mergePatch<T>(kind, refOf(object), {
    metadata: { finalizers, resourceVersion, ...(uid === undefined ? {} : { uid }) },
  });
}
