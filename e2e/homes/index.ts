/**
 * e2e/homes: who wrote what to the stores of which zone, and whether there was ever more than one home. Pure but for the
 * writes themselves; imports nothing of ours but the names of keys. The driver that moves the home of real stores under partitions is e2e/partitions.
 */
export { check, PROMISES } from './check.ts';
export type { Promises } from './check.ts';
export { HomesHistory } from './history.ts';
export type { Apart, HomeNote, HomesEvent, Noted, Result, Store, Write } from './history.ts';
export { measure } from './measure.ts';
export type { Measured } from './measure.ts';
export { describeViolations } from './violation.ts';
export type { Violation, ViolationKind } from './violation.ts';
export { refusalOf, writeEtcd, writeRedis } from './writes.ts';
export type { Answer } from './writes.ts';
