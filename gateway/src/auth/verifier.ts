import { errors, jwtVerify } from 'jose';
import type { JWTPayload } from 'jose';
import type { GatewayConfig } from '@causeway/crds';
import { grantOf, identityOf } from './claims.ts';
import type { Identity, SubscriptionGrant } from './claims.ts';
import type { TokenKeys } from './keys.ts';
import { TokenError } from './token-error.ts';

/** Clocks of whoever makes tokens and ours may differ by this much, seconds. */
const CLOCK_SKEW_S = 5;

/** Where the keys come from. */
export interface KeySource {
  /** Undefined while there are none. */
  readonly keys: TokenKeys | undefined;
  /** A token names a key that is not there: looks for it where that can be done. False: not now. */
  missed?(): Promise<boolean>;
}

/** Checks tokens. */
export class TokenVerifier {
  readonly #rules: Pick<GatewayConfig['auth']['jwt'], 'issuer' | 'audience'>;
  readonly #source: KeySource;

  constructor(rules: Pick<GatewayConfig['auth']['jwt'], 'issuer' | 'audience'>, source: KeySource) {
    this.#rules = rules;
    this.#source = source;
  }

  /** Whether there are keys. */
  get ready(): boolean {
    return this.#source.keys !== undefined;
  }

  /** Checks a connection token. Rejects with {@link TokenError}. */
  async verify(token: string): Promise<Identity> {
    return identityOf(await this.#payload(token));
  }

  /** Checks a subscription token: the same keys, issuer and audience. Rejects with {@link TokenError}. */
  async verifySubscription(token: string): Promise<SubscriptionGrant> {
    return grantOf(await this.#payload(token));
  }

  async #payload(token: string): Promise<JWTPayload> {
    try {
      return await this.#check(token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#source.missed) throw tokenError(error);
    }
    // Not refused for good: a key that was made just now may be known in a moment.
    if (!(await this.#source.missed()))
      throw new TokenError('unavailable', 'the key of the token is not known yet');
    return this.#check(token).catch((error: unknown) => {
      throw tokenError(error);
    });
  }

  async #check(token: string): Promise<JWTPayload> {
    const { keys } = this.#source;
    if (!keys) throw new TokenError('unavailable', 'no keys to check tokens with');
    if (token === '') throw new TokenError('invalid', 'no token');
    const { key, algorithms } = keys;
    const { issuer, audience } = this.#rules;
    const options = {
      algorithms,
      clockTolerance: CLOCK_SKEW_S,
      ...(issuer && { issuer }),
      ...(audience && { audience }),
    };
    const { payload } = await (typeof key === 'function'
      ? jwtVerify(token, key, options)
      : jwtVerify(token, key, options));
    return payload;
  }
}

function tokenError(error: unknown): TokenError {
  if (error instanceof TokenError) return error;
  if (error instanceof errors.JWTExpired) return new TokenError('expired', 'token expired');
  return new TokenError('invalid', error instanceof errors.JOSEError ? error.code : 'not a token');
}
