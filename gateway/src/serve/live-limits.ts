import type { Counter, Registry } from 'prom-client';
import type { GatewayConfig, LimitsState, SendLimitsConfig } from '@causeway/crds';
import { ConfigError, limitsOver } from '../config/index.ts';
import { SendLimits } from '../limits/index.ts';
import type { Log } from '../log/index.ts';
import { createLimitsMetrics } from '../metrics/index.ts';
import type { FollowedKey } from '../sync/index.ts';

/** What {@link LiveLimits} are made of. */
export interface LiveLimitsParts {
  limits: GatewayConfig['limits'];
  log: Log;
  registry: Registry;
  /** For how long this zone's etcd has been away, milliseconds; 0: it is there; undefined: nothing is followed. */
  away(): number | undefined;
}

/** The value in etcd that applies. */
interface Applied {
  limits: SendLimitsConfig;
  revision: bigint;
}

/**
 * The platform's limits, and the value of a key in etcd laid over them while the gateway runs (docs/adr/0056). A value
 * that cannot be used changes nothing; without a value the platform's limits apply.
 */
export class LiveLimits {
  readonly send: SendLimits;
  /** What is to be followed; undefined without a key. */
  readonly followed: FollowedKey | undefined;
  readonly #parts: LiveLimitsParts;
  readonly #spec: SendLimitsConfig;
  readonly #changes: Counter;
  #applied: Applied | undefined;
  /** The key has been read at least once. */
  #read = false;
  /** What is wrong with the value that etcd has now. */
  #wrong: string | undefined;
  /** Revision and whether there was a value, of what was told last: a new connection tells it again. */
  #told = '';

  constructor(parts: LiveLimitsParts) {
    const { connections: _, etcdKey, ...spec } = parts.limits;
    this.#parts = parts;
    this.#spec = spec;
    this.send = new SendLimits(spec);
    this.followed = etcdKey === undefined ? undefined : this.#follow(etcdKey);
    this.#changes = createLimitsMetrics(parts.registry, {
      messagesPerSecond: () => this.#limits.messagesPerSecond,
      fromEtcd: () => this.#applied !== undefined,
      problems: () => ({
        value: this.#wrong !== undefined,
        etcd: this.followed !== undefined && !this.#isFollowed,
      }),
    });
    if (etcdKey !== undefined)
      parts.log.info("the platform's limits apply until those in etcd are read", { key: etcdKey });
  }

  /** What applies, and why. */
  get state(): LimitsState {
    const problem = this.#wrong ?? this.#unseen;
    return {
      limits: this.#limits,
      from: this.#applied ? 'etcd' : 'spec',
      ...(this.followed && {
        etcd: {
          key: this.followed.key,
          ...(this.#applied && { revision: Number(this.#applied.revision) }),
          followed: this.#isFollowed,
        },
      }),
      ...(problem !== undefined && { problem }),
    };
  }

  get #limits(): SendLimitsConfig {
    return this.#applied?.limits ?? this.#spec;
  }

  get #isFollowed(): boolean {
    return this.#read && this.#parts.away() === 0;
  }

  /** Why changes are not seen. */
  get #unseen(): string | undefined {
    if (!this.followed || this.#isFollowed) return undefined;
    const away = this.#parts.away();
    if (away === undefined) return "this zone has no etcd in gateway.json: the platform's limits apply";
    if (!this.#read)
      return "this zone's etcd has not been reached yet: the platform's limits apply until it is";
    const seconds = Math.ceil(away / 1000);
    return `this zone's etcd has been away for ${seconds} s: what was read last applies, and changes come when it is back`;
  }

  #follow(key: string): FollowedKey {
    return {
      key,
      changed: (value, revision) => {
        this.#read = true;
        const told = `${revision} ${value !== undefined}`;
        // Without a value the revision only says when it was looked at.
        const isKnown = value === undefined ? !this.#applied && !this.#wrong : told === this.#told;
        this.#told = told;
        if (isKnown) return;
        if (value === undefined) this.#apply(undefined);
        else this.#take(key, value, revision);
      },
    };
  }

  #take(key: string, value: Buffer, revision: bigint): void {
    try {
      this.#apply({ limits: limitsOver(this.#spec, key, value), revision });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#wrong = `${error.message} (revision ${revision}): put another value, or delete the key; until then what was last good applies`;
      this.#parts.log.warn('limits in etcd not taken', { key, problem: this.#wrong });
    }
  }

  #apply(applied: Applied | undefined): void {
    this.#applied = applied;
    this.#wrong = undefined;
    this.send.change(this.#limits, performance.now());
    this.#changes.inc();
    const { messagesPerSecond, burst } = this.#limits;
    this.#parts.log.info('limits changed', {
      from: applied ? 'etcd' : 'spec',
      ...(applied && { revision: Number(applied.revision) }),
      messagesPerSecond,
      burst,
    });
  }
}
