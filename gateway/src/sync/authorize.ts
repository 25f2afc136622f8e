/** Who asks: the token, before anything is made for a stream. */
import { TokenError } from '../auth/index.ts';
import type { Identity, TokenVerifier } from '../auth/index.ts';
import { SyncFailure } from './failure.ts';

/** The token in a header `Authorization: Bearer` (RFC 6750, 2.1). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1];
}

/** Rejects with {@link SyncFailure}; its message never holds the token. */
export async function authorize(verifier: TokenVerifier, token: string | undefined): Promise<Identity> {
  if (token === undefined || token === '') {
    throw new SyncFailure('bad-token', 'there is no token: send Authorization: Bearer <JWT>');
  }
  try {
    return await verifier.verify(token);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (error.kind === 'expired') throw new SyncFailure('token-expired', 'the token has expired');
    if (error.kind === 'unavailable') throw new SyncFailure('no-token-keys', 'tokens cannot be checked now');
    throw new SyncFailure('bad-token', `the token is not good: ${error.message}`);
  }
}
