/** gateway/src/testing: what the gateway's integration tests share. Imports e2e/harness, e2e/tools and the SDK. */
export { GOOD_VERDICTS, partsOf, runAutobahn, verdictOf } from './autobahn.ts';
export type { AutobahnCase } from './autobahn.ts';
export { startBackends } from './backends.ts';
export type { Backends } from './backends.ts';
export { connected, listen, publish, rawBinaryClient, rawClient, sdk, token } from './client.ts';
export type { Listener, RawClient } from './client.ts';
export { startEcho } from './echo-process.ts';
export type { EchoProcess } from './echo-process.ts';
export {
  buildBundle,
  bundle,
  certificateFiles,
  HMAC,
  PROGRAM,
  RUNTIMES,
  sourceAddress,
  startGateway,
  testTopic,
} from './gateway-process.ts';
export type { GatewayProcess, Platform, Runtime } from './gateway-process.ts';
export {
  bareHttp2,
  CONNECT_BLOCK,
  END_HEADERS,
  FRAME,
  headerBlock,
  http2Client,
  http2Frame,
  webSocketOn,
} from './http2-client.ts';
export type { Http2Client } from './http2-client.ts';
export { imageEnvironment } from './image-environment.ts';
export { keyPair, signedWith, startKeyServer } from './key-server.ts';
export type { KeyServer } from './key-server.ts';
export { mountSecret } from './mounted-secret.ts';
export type { MountedSecret } from './mounted-secret.ts';
export type { NamedCommand, NamedOutcome, NamedServers } from './named-clients.ts';
export { coordinatorOf } from './kafka-coordinator.ts';
export { CAN_BE_CUT_OFF, cutOff } from './kafka-outage.ts';
export { LineProgram } from './line-program.ts';
export { startOtlpReceiver } from './otlp-receiver.ts';
export type { OtlpReceiver, ReceivedSpan } from './otlp-receiver.ts';
export { startPythonClient } from './python-sdk.ts';
export type { PythonClient } from './python-sdk.ts';
export type { LinksCommand, LinksOptions, LinksOutcome } from './redis-links.ts';
export { startTcpProxy } from './tcp-proxy.ts';
export type { TcpProxy } from './tcp-proxy.ts';
