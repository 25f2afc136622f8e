/** Which of a platform's objects would be made, changed and deleted. Pure. */
import { structuredPatch } from 'diff';
import { normalizeDesired, whyApply, type KubeObject } from '../controller/index.ts';
import { desiredText, liveText, shownObject } from './plan-view.ts';

/** One object's change; a part of the output of `causeway plan -o json`. */
export interface ObjectChange {
  action: 'create' | 'change' | 'delete';
  apiVersion: string;
  kind: string;
  name: string;
  /** Why, or what it waits for; for people. */
  reason?: string;
  /** Of a change: a unified diff of the YAML of the fields that Causeway owns, without file names. */
  diff?: string;
  /** Of a creation: the object; values of Secrets are described, not given. */
  object?: object;
}

/** What to compare. */
export interface ObjectQuestion {
  /** In the order in which they would be made. */
  desired: readonly KubeObject[];
  /** The object that is there, if one is. */
  live(desired: KubeObject): KubeObject | undefined;
  /** The platform's own objects that are no longer wanted. */
  leftOver: readonly KubeObject[];
  /** What keeps a new object from being made, if anything. */
  waitsFor(desired: KubeObject): string | undefined;
}

/** The changes, in the order in which the operator would make them. */
export function planObjects(question: ObjectQuestion): ObjectChange[] {
  const made = question.desired.flatMap((wanted) => planObject(wanted, question));
  const gone = question.leftOver.map((object): ObjectChange => ({
    ...nameOf(object),
    action: 'delete',
    reason: 'it is no longer wanted',
  }));
  return [...made, ...gone];
}

function planObject(wanted: KubeObject, question: ObjectQuestion): ObjectChange[] {
  const live = question.live(wanted);
  if (live === undefined) {
    const reason = question.waitsFor(wanted);
    const object = shownObject(wanted);
    return [{ ...nameOf(wanted), action: 'create', ...(reason === undefined ? {} : { reason }), object }];
  }
  const reason = whyApply(normalizeDesired(wanted), live);
  if (reason === undefined) return [];
  const diff = unifiedDiff(liveText(live, wanted), desiredText(wanted));
  return [{ ...nameOf(wanted), action: 'change', reason, ...(diff === '' ? {} : { diff }) }];
}

function nameOf(object: KubeObject): Pick<ObjectChange, 'apiVersion' | 'kind' | 'name'> {
  return { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name };
}

/** The hunks of a unified diff of two texts, with three lines of context; empty when they are the same. */
export function unifiedDiff(before: string, after: string): string {
  const { hunks } = structuredPatch('', '', before, after, undefined, undefined, { context: 3 });
  return hunks
    .map((hunk) => {
      const head = `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`;
      return [head, ...hunk.lines, ''].join('\n');
    })
    .join('');
}
