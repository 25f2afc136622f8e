/** The API and the contract, for both sides. Imports nothing of ours. */
export * from './contract.ts';
export type * from './drillschedule.ts';
export * from './duration.ts';
export type * from './messageplatform.ts';
export type * from './resource.ts';
export type * from './zonefailover.ts';
