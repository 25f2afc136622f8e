/** What a plan knows of the cluster: one look at everything that concerns a platform. Only reads. */
import { LABEL } from '@causeway/crds';
import {
  isObject,
  KubeError,
  kindKey,
  keyOf,
  refOf,
  type KubeApi,
  type KubeObject,
  type ObjectRef,
  type ResourceKind,
} from '../controller/index.ts';
import { encodeSecret, type SecretData } from '../certificates/index.ts';
import { CHILD_KINDS, KIND, type PlatformCache } from '../platform/index.ts';
import { isForbidden } from './connect.ts';

/** The cluster, as one platform's plan sees it. */
export interface ClusterView {
  cache: PlatformCache;
  /** Looks up what the cache does not have; Secrets of the files count as there. */
  kube: Pick<KubeApi, 'get'>;
  /** The platform's own objects. */
  children: KubeObject[];
  /** False when we may not read Secrets. */
  readsSecrets: boolean;
  /** Undefined when we may not read nodes. */
  nodes: KubeObject[] | undefined;
  /** What could not be read, and what that means, for people. */
  notes: string[];
}

/** Reads what concerns one platform. What we may not read is left out, with a note. */
export async function viewCluster(
  api: Pick<KubeApi, 'get' | 'list'>,
  ref: Required<ObjectRef>,
  secrets: ReadonlyMap<string, SecretData>,
): Promise<ClusterView> {
  const notes: string[] = [];
  const labelled = { namespace: ref.namespace, labelSelector: `${LABEL.platform}=${ref.name}` };
  const lists = CHILD_KINDS.map(async (kind) => ({
    kind,
    items: await readable(() => api.list(kind, labelled)),
  }));
  const [platforms, nodes, children] = await Promise.all([
    allPlatforms(api, ref.namespace),
    readable(() => api.list(KIND.node)),
    Promise.all(lists),
  ]);
  if (nodes === undefined)
    notes.push('Nodes may not be listed with these rights: whether the zones exist was not checked.');
  const readsSecrets = children.every(({ kind, items }) => kind !== KIND.secret || items !== undefined);
  if (!readsSecrets)
    notes.push(
      'Secrets may not be read with these rights: they are left out, and so are the topics if Kafka needs one.',
    );
  for (const { kind, items } of children) {
    if (items === undefined && kind !== KIND.secret)
      throw new Error(
        `${kind.plural} in namespace ${ref.namespace} may not be listed with these rights, so nothing can be compared. Ask for the right to list ${kind.plural}.`,
      );
  }
  const objects = children.flatMap(({ items }) => items ?? []);
  return {
    cache: snapshot([...objects, ...platforms, ...(nodes ?? [])]),
    kube: { get: (kind, wanted) => lookUp(api, kind, wanted, { secrets, readsSecrets }) },
    children: objects,
    readsSecrets,
    nodes,
    notes,
  };
}

async function readable<T extends KubeObject>(list: () => Promise<{ items: T[] }>): Promise<T[] | undefined> {
  try {
    return (await list()).items;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** Of all namespaces, since platforms elsewhere may claim the same topics; or as many as we may see. */
async function allPlatforms(api: Pick<KubeApi, 'list'>, namespace: string): Promise<KubeObject[]> {
  return (
    (await readable(() => api.list(KIND.platform))) ??
    (await readable(() => api.list(KIND.platform, { namespace }))) ??
    []
  );
}

async function lookUp<T extends KubeObject>(
  api: Pick<KubeApi, 'get'>,
  kind: ResourceKind,
  ref: ObjectRef,
  { secrets, readsSecrets }: { secrets: ReadonlyMap<string, SecretData>; readsSecrets: boolean },
): Promise<T | undefined> {
  if (kind !== KIND.secret) return api.get<T>(kind, ref);
  const inFile = secrets.get(keyOf(ref));
  if (inFile === undefined) return readsSecrets ? api.get<T>(kind, ref) : undefined;
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: ref, data: encodeSecret(inFile) };
  return secret as unknown as T;
}

function snapshot(objects: readonly KubeObject[]): PlatformCache {
  const ofKind = (kind: ResourceKind): KubeObject[] =>
    objects.filter((object) => kindKey(object) === kindKey(kind));
  return {
    get: (kind, ref) => ofKind(kind).find((object) => keyOf(refOf(object)) === keyOf(ref)),
    ofPlatform: (kind, { namespace, name }) =>
      ofKind(kind).filter(
        ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[LABEL.platform] === name,
      ),
    all: ofKind,
    hasSeenOurWrites: () => true,
  };
}

/** What somebody could not do, in one line. */
export function messageOf(error: unknown): string {
  if (error instanceof KubeError || error instanceof Error) return error.message;
  return isObject(error) ? JSON.stringify(error) : String(error);
}
