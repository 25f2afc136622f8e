/** e2e/platform: installs the operator, waits for a platform and speaks to it. For the demo, scenarios and benchmarks. Imports e2e/lab, e2e/binaries, e2e/tools and @causeway/crds. */
export { connect, gatewayPods, platformAccess, sdkClient, subscribe, tokenFor } from './client.ts';
export type { GatewayAddress, PlatformAccess } from './client.ts';
export {
  buildBundles,
  installOperator,
  loadLabImage,
  loadLabImages,
  OPERATOR_NAMESPACE,
  publishImages,
} from './install.ts';
export type { ImageReferences } from './install.ts';
export { Kube } from './kube.ts';
export { waitReady } from './ready.ts';
