/** gateway/src/auth: who a client is and what it may do, by JSON Web Token (RFC 7519). Imports only crds, names and jose. */
export { allowedIn } from './capabilities.ts';
export type { Capability, Right } from './capabilities.ts';
export type { Identity, ServerSubscription, SubscriptionGrant } from './claims.ts';
export { NoTokenKeysError } from './keys.ts';
export { MountedKeys } from './mounted-keys.ts';
export { RemoteKeys } from './remote-keys.ts';
export { TokenError } from './token-error.ts';
export { TokenVerifier } from './verifier.ts';
export type { KeySource } from './verifier.ts';
