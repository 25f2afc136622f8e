/**
 * e2e/deliveries: what publishers and subscribers saw, and whether a platform may do so. Pure but for
 * what it notes of the SDK; imports nothing of ours.
 * The driver that lets a platform suffer is e2e/chaos.
 */
export { check } from './check.ts';
export type { CheckOptions } from './check.ts';
export { History } from './history.ts';
export type { Answer, HistoryEvent, Place, Recovery, Seen } from './history.ts';
export { answerOf, noteSubscription } from './sdk.ts';
export { describeViolations } from './violation.ts';
export type { Violation, ViolationKind } from './violation.ts';
