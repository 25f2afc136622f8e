import { errors, jwtVerify } from 'jose';
import type { JWTPayload } from 'jose';
import type { GatewayConfig } from '@causeway/crds';
import { parseKeys, readKeyFiles } from './keys.ts';
import type { KeyFiles, TokenKeys } from './keys.ts';

/** Clocks of whoever makes tokens and ours may differ by this much, seconds. */
const CLOCK_SKEW_S = 5;

/** Who a token says that a client is. */
export interface Identity {
  /** Claim sub. */
  user: string;
  /** Claim tier. */
  tier: string | undefined;
  /** Claim info: shown to others with each publication. */
  info: unknown;
  /** Claim exp, Unix seconds. */
  expiresAt: number | undefined;
}

/** Why a token is refused. `message` never holds the token. */
export class TokenError extends Error {
  /** expired: a new token may do. unavailable: tokens cannot be checked now. */
  readonly kind: 'invalid' | 'expired' | 'unavailable';

  constructor(kind: TokenError['kind'], message: string) {
    super(message);
    this.name = 'TokenError';
    this.kind = kind;
  }
}

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

  /** Rejects with {@link TokenError}. */
  async verify(token: string): Promise<Identity> {
    if (!this.#keys) throw new TokenError('unavailable', 'no keys to check tokens with');
    if (token === '') throw new TokenError('invalid', 'no token');
    return identityOf(await this.#payload(token, this.#keys));
  }

  async #payload(token: string, { key, algorithms }: TokenKeys): Promise<JWTPayload> {
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

function identityOf(payload: JWTPayload): Identity {
  const { sub, tier, info, exp } = payload;
  if (typeof sub !== 'string' || sub === '') throw new TokenError('invalid', 'claim sub is missing');
  if (tier !== undefined && typeof tier !== 'string')
    throw new TokenError('invalid', 'claim tier is not a text');
  return { user: sub, tier, info, expiresAt: exp };
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b));
}
