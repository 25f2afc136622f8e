/** Conditions as in metav1.Condition. Pure. */

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** metav1.Condition. */
export interface Condition {
  type: string;
  status: ConditionStatus;
  /** CamelCase, for programs. */
  reason: string;
  /** For people: what is so, and what to do. */
  message: string;
  /** RFC 3339, whole seconds. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** A condition before it is placed in time. */
export type ConditionInput = Omit<Condition, 'lastTransitionTime'>;

/**
 * `conditions` with `condition` set in it. `lastTransitionTime` changes only when `status` does, as the API
 * conventions ask. Order is kept; a new type goes last. Returns the same array when nothing changes.
 */
export function setCondition(
  conditions: readonly Condition[],
  condition: ConditionInput,
  now: number,
): readonly Condition[] {
  const index = conditions.findIndex((each) => each.type === condition.type);
  const before = conditions[index];
  if (before === undefined) {
    return [...conditions, { ...condition, lastTransitionTime: toRfc3339(now) }];
  }
  const lastTransitionTime = before.status === condition.status ? before.lastTransitionTime : toRfc3339(now);
  const after: Condition = { ...condition, lastTransitionTime };
  if (sameCondition(before, after)) return conditions;
  return conditions.with(index, after);
}

/** `conditions` without those of the given type. The same array when there is none. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.some((each) => each.type === type)
    ? conditions.filter((each) => each.type !== type)
    : conditions;
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((each) => each.type === type);
}

/** True only for status `True`: neither `Unknown` nor absence counts. */
export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** A time as metav1.Time writes it: RFC 3339 in UTC, whole seconds. */
export function toRfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds since the epoch of a time of either form; of none, none. */
export function fromRfc3339(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

/** A time as metav1.MicroTime writes it. */
export function toMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

function sameCondition(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.lastTransitionTime === b.lastTransitionTime &&
    a.observedGeneration === b.observedGeneration
  );
}
