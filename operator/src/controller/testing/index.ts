/** operator/src/controller/testing: a clock and a Kubernetes API for tests of the engine. Imports only the engine. */
export { FakeKubeApi } from './fake-kube-api.ts';
export type { FakeCall } from './fake-kube-api.ts';
export { settle, TestClock } from './test-clock.ts';
export { chance } from './chance.ts';
export { cuttable } from './cuttable.ts';
