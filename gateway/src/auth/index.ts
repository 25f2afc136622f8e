/** gateway/src/auth: who a client is, by JSON Web Token (RFC 7519). Imports only crds and jose. */
export { NoTokenKeysError } from './keys.ts';
export { TokenError, TokenVerifier } from './verifier.ts';
export type { Identity } from './verifier.ts';
