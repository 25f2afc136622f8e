/** gateway/src/mounted: mounted Secrets, what they hold and when they change. Imports only crds and Node. */
export { bundleFingerprints, fingerprintOf } from './fingerprints.ts';
export { innerState, readInnerState } from './inner-state.ts';
export { watchFiles } from './watch-files.ts';
