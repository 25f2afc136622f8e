/** gateway/src/config: reads and checks configuration files. Imports only crds and Node. */
export { loadGatewayConfig, parseGatewayConfig, readJson } from './load.ts';
export { ConfigError, Field } from './validate.ts';
