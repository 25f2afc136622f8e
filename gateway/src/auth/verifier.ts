import { errors, jwtVerify } from 'jose';
import type { JWTPayload } from 'jose';
import type { GatewayConfig } from '@causeway/crds';
import { grantOf, identityOf } from './claims.ts';
import type { Identity, SubscriptionGrant } from './claims.ts';
import { parseKeys, readKeyFiles } from './keys.ts';
import type { KeyFiles, TokenKeys } from './keys.ts';
import { TokenError } from './token-error.ts';

/** Clocks of whoever makes tokens and ours may differ by this much, seconds. */
const CLOCK_SKEW_S = 5;

/** Checks tokens with the keys in the mounted Secret. */
export class TokenVerifier {
  readonly #config: GatewayConfig['auth']['jwt'];
  #files: KeyFiles | undefined;
  #keys: TokenKeys | undefined;

  constructor(config: GatewayConfig['auth']['jwt']) {
    this.#config = config;
  }

  /** Whether there are keys. */
  get ready(): boolean {
    return this.#keys !== undefined;
  }

  /**
   * Reads the Secret again. True if the keys are others now. Rejects if there are none that can be used; then the
   * ones from before stay.
   */
  async reload(): Promise<boolean> {
    const files = await readKeyFiles(this.#config.dir);
    if (
      this.#keys &&
      this.#files &&
      same(files.hmac, this.#files.hmac) &&
      same(files.jwks, this.#files.jwks)
    ) {
      return false;
    }
    this.#keys = parseKeys(this.#config.dir, files);
    this.#files = files;
    return true;
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
    if (!this.#keys) throw new TokenError('unavailable', 'no keys to check tokens with');
    if (token === '') throw new TokenError('invalid', 'no token');
    const { key, algorithms } = this.#keys;
    const { issuer, audience } = this.#config;
    const options = {
      algorithms,
      clockTolerance: CLOCK_SKEW_S,
      ...(issuer && { issuer }),
      ...(audience && { audience }),
    };
    try {
      const { payload } = await (typeof key === 'function'
        ? jwtVerify(token, key, options)
        : jwtVerify(token, key, options));
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new TokenError('expired', 'token expired');
      throw new TokenError('invalid', error instanceof errors.JOSEError ? error.code : 'not a token');
    }
  }
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}
