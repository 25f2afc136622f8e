/** gateway/src/config: reads and checks configuration files. Imports only crds and Node. */
export { etcdConnection, etcdPrefix } from './etcd.ts';
export { limitsOver, MAX_LIMITS_BYTES } from './limits.ts';
export { loadGatewayConfig, parseGatewayConfig, readJson } from './load.ts';
export { ConfigError, Field } from './validate.ts';
