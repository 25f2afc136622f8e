/** gateway/src/sync/testing: what the tests of /sync share. Imports sync's own files. */
export { Follower } from './follower.ts';
export type { FollowOptions } from './follower.ts';
export { loadSchema, loadService } from './schema.ts';
