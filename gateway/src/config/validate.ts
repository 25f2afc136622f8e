/** A configuration that cannot work. The message says which file, which field, and what to do. */
export class ConfigError extends Error {
  constructor(file: string, field: string, problem: string) {
    super(`${file}: ${field ? `${field}: ` : ''}${problem}`);
    this.name = 'ConfigError';
  }
}

/** One value in a configuration file, and where it stands, for checks that end in a {@link ConfigError}. */
export class Field {
  readonly file: string;
  readonly path: string;
  readonly value: unknown;

  constructor(file: string, path: string, value: unknown) {
    this.file = file;
    this.path = path;
    this.value = value;
  }

  /** Ends the check. `expected` completes "must be …". `secret`: the value must not be shown. */
  fail(expected: string, secret = false): never {
    const shown = secret ? 'something else' : JSON.stringify(this.value)?.slice(0, 80);
    const given = this.value === undefined ? 'it is missing' : `it is ${shown}`;
    throw new ConfigError(this.file, this.path, `must be ${expected}; ${given}`);
  }

  object(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) {
      this.fail('an object');
    }
    return this.value as Record<string, unknown>;
  }

  /** The member `name` of this object. */
  at(name: string): Field {
    return new Field(this.file, this.path ? `${this.path}.${name}` : name, this.object()[name]);
  }

  /** The member `name` of this object, or undefined if it is not there. */
  maybe(name: string): Field | undefined {
    const field = this.at(name);
    return field.value === undefined || field.value === null ? undefined : field;
  }

  string(): string {
    if (typeof this.value !== 'string' || this.value === '') this.fail('a text that is not empty');
    return this.value;
  }

  oneOf<const T extends string>(allowed: readonly T[]): T {
    if (!allowed.includes(this.value as T)) this.fail(`one of ${allowed.join(', ')}`);
    return this.value as T;
  }

  /** A whole number from `min` to `max`. */
  integer(min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.value;
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      this.fail(
        max === Number.MAX_SAFE_INTEGER
          ? `a whole number from ${min}`
          : `a whole number from ${min} to ${max}`,
      );
    }
    return value as number;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') this.fail('true or false');
    return this.value;
  }

  /** A number over 0. */
  positive(): number {
    if (typeof this.value !== 'number' || !Number.isFinite(this.value) || this.value <= 0) {
      this.fail('a number over 0');
    }
    return this.value;
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) this.fail('a list');
    return this.value.map((item, index) => new Field(this.file, `${this.path}[${index}]`, item));
  }
}
