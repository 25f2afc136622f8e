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
