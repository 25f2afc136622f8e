/** Applies a platform's objects and deletes those that it no longer wants. */
import { COMPONENT, LABEL, objectName } from '@causeway/crds';
import { isRefusal, type KubeError, type KubeObject, type ResourceKind } from '../controller/kube-api.ts';
import { CHILD_KINDS } from './kinds.ts';
import type { MessagePlatform, Part, Problem } from './types.ts';
import type { PlatformWorld } from './world.ts';

const PART_OF: Readonly<Record<string, Part>> = {
  [COMPONENT.gateway]: 'Gateways',
  [COMPONENT.redis]: 'Redis',
  [COMPONENT.etcd]: 'Etcd',
  [COMPONENT.replicator]: 'Replication',
  certificates: 'Certificates',
};

function partOf(object: KubeObject): Part {
  return PART_OF[object.metadata.labels?.[LABEL.component] ?? ''] ?? 'Gateways';
}

function kindOf(object: KubeObject): ResourceKind {
  const kind = CHILD_KINDS.find((one) => one.kind === object.kind && one.apiVersion === object.apiVersion);
  if (kind === undefined)
    throw new Error(`${object.apiVersion} ${object.kind} is not a kind that a platform owns`);
  return kind;
}

/** What came of applying a platform's objects. */
interface Applied {
  problems: Problem[];
  errors: unknown[];
  /** False when a Secret could not be written: what was issued for it is worth nothing then. */
  secretsStored: boolean;
}

/** The name belongs to an object of somebody else. */
class NameTaken extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/**
 * Applies each object that differs, tier by tier. What the API server refuses (a quota, an admission policy) becomes a
 * problem of that part; what fails otherwise is returned as an error. The others go on either way.
 */
export async function applyObjects(
  world: PlatformWorld,
  platform: MessagePlatform,
  {
    objects,
    blocked,
    newAuthority,
    signal,
  }: {
    objects: readonly KubeObject[];
    blocked: ReadonlySet<Part>;
    /** The authority's Secret, when there was none. */
    newAuthority: KubeObject | undefined;
    signal: AbortSignal;
  },
): Promise<Applied> {
  const problems: Problem[] = [];
  const errors: unknown[] = [];
  let secretsStored = true;
  let authorityStored = true;
  // At first all is made, and forty events would drown the one that matters; from then on each repair is told.
  const regarding = platform.status?.observedGeneration === undefined ? {} : { regarding: platform };
  const applyOne = async (object: KubeObject): Promise<void> => {
    const kind = kindOf(object);
    // The cache holds only what has our label: an object that somebody else made under our name is not in it.
    const live = world.cache.get(kind, object.metadata) ?? (await world.kube.get(kind, object.metadata));
    if (live === undefined && isHeldBack(object, blocked)) return;
    if (live !== undefined && !isOurs(live, platform)) throw new NameTaken(foreignObject(object));
    // Created, not applied: when two requests for one are under way after all, only the first may win.
    if (object === newAuthority) await world.kube.create(kind, object);
    // Nor may a late one bring back an authority in whose place another one signs by now.
    await world.applier.apply(kind, object, { ...regarding, guarded: isAuthority(object) });
  };
  const isAuthority = (object: KubeObject): boolean =>
    isSecret(object) && object.metadata.name === objectName.authority(platform.metadata.name);
  const tryOne = async (object: KubeObject): Promise<void> => {
    try {
      await applyOne(object);
    } catch (error) {
      if (isSecret(object)) secretsStored = false;
      if (isAuthority(object)) authorityStored = false;
      if (error instanceof NameTaken) problems.push(error.problem);
      else if (isRefusal(error)) problems.push(refusedObject(object, error));
      else errors.push(error);
    }
  };
  for (const tier of tiers(objects)) {
    signal.throwIfAborted();
    // What an authority signed that could not be stored would be trusted by nobody, and replaced at the next try.
    if (!authorityStored && tier.every(isSecret)) continue;
    await Promise.all(tier.map(tryOne));
  }
  return { problems, errors, secretsStored };
}

/** What goes together: each Secret alone (the authority before what it signed), then what pods refer to, then pods. */
function tiers(objects: readonly KubeObject[]): KubeObject[][] {
  const secrets = objects.filter(isSecret);
  const rest = objects.filter((object) => !isSecret(object));
  return [
    ...secrets.map((secret) => [secret]),
    rest.filter((one) => !startsPods(one)),
    rest.filter(startsPods),
  ];
}

function isSecret(object: KubeObject): boolean {
  return object.kind === 'Secret';
}

/** True for a workload that is not made yet, since what its pods mount is missing. `blocked`: parts that lack a Secret. */
export function isHeldBack(object: KubeObject, blocked: ReadonlySet<Part>): boolean {
  return startsPods(object) && isBlocked(object, blocked);
}

function startsPods(object: KubeObject): boolean {
  return object.kind === 'Deployment' || object.kind === 'StatefulSet';
}

/** Pods that mount a missing Secret would hang; they are made once it is there. What already runs is left to run. */
function isBlocked(object: KubeObject, blocked: ReadonlySet<Part>): boolean {
  const part = partOf(object);
  if (part === 'Gateways') return blocked.has('Gateways') || blocked.has('Topics') || blocked.has('Redis');
  return part === 'Replication' && blocked.has('Etcd');
}

/** True for an object that the platform controls, or lost control of. */
export function isOurs(object: KubeObject, platform: MessagePlatform): boolean {
  const owners = object.metadata.ownerReferences ?? [];
  const controller = owners.find((owner) => owner.controller === true);
  return controller === undefined ? hasOurLabel(object, platform) : controller.uid === platform.metadata.uid;
}

/** An object of ours whose ownerReferences somebody took away still has our label: it is repaired. */
function hasOurLabel(object: KubeObject, platform: MessagePlatform): boolean {
  return object.metadata.labels?.[LABEL.platform] === platform.metadata.name;
}

/** An object in the way that somebody else made. */
export function foreignObject(object: KubeObject): Problem {
  const message = `${object.kind} ${object.metadata.name} exists and belongs to somebody else. Rename the platform, or remove that object.`;
  return { part: partOf(object), reason: 'NameTaken', message, needsPerson: true };
}

function refusedObject(object: KubeObject, error: KubeError): Problem {
  const message = `${object.kind} ${object.metadata.name} was refused by the API server: ${error.message}`;
  return {
    part: partOf(object),
    reason: error.reason === '' ? 'Refused' : error.reason,
    message,
    needsPerson: true,
  };
}

/** Deletes the platform's own objects that are no longer desired, such as those of a zone that was taken out. */
export async function pruneObjects(
  world: PlatformWorld,
  platform: MessagePlatform,
  desired: readonly KubeObject[],
): Promise<void> {
  const { namespace, name, uid } = platform.metadata;
  const wanted = new Set(desired.map((object) => `${object.kind}/${object.metadata.name}`));
  for (const kind of CHILD_KINDS) {
    for (const object of world.cache.ofPlatform(kind, { namespace, name })) {
      const isChild = object.metadata.ownerReferences?.some(
        (owner) => owner.uid === uid && owner.controller === true,
      );
      if (isChild !== true || wanted.has(`${kind.kind}/${object.metadata.name}`)) continue;
      await world.applier.remove(kind, object.metadata, {
        propagationPolicy: 'Background',
        regarding: platform,
      });
    }
  }
}
