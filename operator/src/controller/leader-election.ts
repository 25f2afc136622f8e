/**
 * Leader election with a Lease, as client-go's, made strict: a leader acts only before its fence, which passes
 * before anybody else can take the lease. Other machines' clocks don't matter, only how fast they run.
 */
import type { Clock } from './clock.ts';
import { isConflict } from './kube-api.ts';
import type { KubeApi, ObjectRef } from './kube-api.ts';
import { claim, giveBack, LEASE_KIND, mayTake, observe } from './lease.ts';
import type { Lease, LeaseObservation } from './lease.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';

export interface LeaderElectionOptions {
  /** Must not itself be fenced by this election. */
  api: KubeApi;
  clock: Clock;
  /** Namespace and name of the Lease. */
  lease: ObjectRef;
  /** Unique for each process that ever runs: pod name and a random part. */
  identity: string;
  /** How long others wait after the last renewal that they saw. Default 15 s. */
  leaseDurationMs?: number;
  /** How long a leader acts after it began its last renewal that worked. Default 10 s; less than the above. */
  renewDeadlineMs?: number;
  /** Between two tries. Default 2 s. */
  retryPeriodMs?: number;
  log?: Logger;
  metrics?: EngineMetrics;
}

/** Why {@link LeaderElector.run} ended. After `lost` a process should end: others act now. */
export type ElectionEnd = 'stopped' | 'lost';

export class LeaderElector {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #ref: ObjectRef;
  readonly #identity: string;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;
  #observed: LeaseObservation | undefined;
  /** Until when this process may act, by wall time and by the clock that is never set. 0: it may not. */
  #fence = { wall: 0, steady: 0 };
  /** Counts the leaderships that are over. */
  #term = 0;

  constructor(options: LeaderElectionOptions) {
    this.#api = options.api;
    this.#clock = options.clock;
    this.#ref = options.lease;
    this.#identity = options.identity;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#log = (options.log ?? silentLogger).child({
      lease: options.lease.name,
      identity: options.identity,
    });
    this.#metrics = options.metrics ?? new EngineMetrics();
    if (this.#renewDeadlineMs >= this.#leaseDurationMs || this.#retryPeriodMs >= this.#renewDeadlineMs) {
      throw new Error('leader election: it must hold that retry period < renew deadline < lease duration');
    }
  }

  /** Wall time (ms) until which this process may act; in the past when it may not. For `HttpKubeApi.fencedBy`. */
  fence(): number {
    const now = this.#clock.now();
    // A wall clock that was set back must not prolong it.
    return Math.min(this.#fence.wall, now + (this.#fence.steady - this.#steady()));
  }

  /** True while this process may act. */
  get isLeader(): boolean {
    return this.#clock.now() < this.fence();
  }

  /** Who holds the lease, as far as this process has seen. */
  get holder(): string | undefined {
    const holder = this.#observed?.lease.spec.holderIdentity;
    return holder === '' ? undefined : holder;
  }

  /**
   * Waits until this process is the leader, then calls `lead`, whose signal aborts when the leadership is lost or
   * `stop` aborts. When `lead` has ended, the lease is given back, unless `lead` resolves false: something of it
   * may still act, and the lease must run out by itself. What `lead` throws is thrown, after that.
   */
  async run(
    stop: AbortSignal,
    lead: (signals: { stop: AbortSignal; lost: AbortSignal }) => Promise<boolean | void>,
  ): Promise<ElectionEnd> {
    if (!(await this.#acquire(stop))) return 'stopped';
    this.#log.info('became the leader');
    this.#metrics.leader.set({ name: this.#ref.name }, 1);
    const lost = new AbortController();
    const ended = new AbortController();
    const renewing = this.#renew(lost, ended.signal);
    let quiet = false;
    try {
      quiet = (await lead({ stop, lost: lost.signal })) !== false;
    } finally {
      ended.abort();
      await renewing;
      this.#metrics.leader.set({ name: this.#ref.name }, 0);
      this.#endTerm();
      if (quiet && !lost.signal.aborted) await this.#release();
    }
    return lost.signal.aborted ? 'lost' : 'stopped';
  }

  /** Tries until it holds the lease; false when `stop` aborts first. */
  async #acquire(stop: AbortSignal): Promise<boolean> {
    while (!stop.aborted) {
      try {
        await this.#bounded(this.#tryAcquire(), this.#renewDeadlineMs);
      } catch (error) {
        if (!isConflict(error)) this.#log.warn('could not look at the lease, or take it', { error });
      }
      if (this.isLeader) return true;
      // With jitter, so that not all candidates come at the same moment.
      await this.#pause(this.#retryPeriodMs * (1 + 0.2 * this.#clock.random()), stop);
    }
    return false;
  }

  async #tryAcquire(): Promise<void> {
    const lease = await this.#api.get<Lease>(LEASE_KIND, this.#ref);
    if (lease === undefined) {
      // Somebody deleted it: whoever held it doesn't know yet, and acts until its fence.
      const before = this.#observed;
      if (before !== undefined && !mayTake(before, this.#steady(), this.#leaseDurationMs)) return;
      await this.#claim(undefined);
      return;
    }
    const before = this.holder;
    this.#observed = observe(this.#observed, lease, this.#steady());
    if (this.holder !== before && this.holder !== undefined) {
      this.#log.info('another process leads', { holder: this.holder });
    }
    const ours = lease.spec.holderIdentity === this.#identity;
    if (ours || mayTake(this.#observed, this.#steady(), this.#leaseDurationMs)) await this.#claim(lease);
  }

  /** Keeps the lease until `ended`; aborts `lost` when it can't be kept. */
  async #renew(lost: AbortController, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#pause(Math.min(this.#retryPeriodMs, this.#left()), ended);
      if (ended.aborted) return;
      const left = this.#left();
      const why = left <= 0 ? 'it could not be renewed in time' : await this.#renewOnce(left);
      if (why !== undefined && !ended.aborted) {
        this.#endTerm();
        this.#log.error('lost the leadership', { why, holder: this.holder });
        lost.abort(new Error(`leadership was lost: ${why}`));
        return;
      }
    }
  }

  /** Undefined when it was renewed, or may be tried again; else why the leadership is over. */
  async #renewOnce(leftMs: number): Promise<string | undefined> {
    try {
      await this.#bounded(this.#claim(this.#observed?.lease), leftMs);
      return undefined;
    } catch (error) {
      if (!isConflict(error)) {
        this.#log.warn('could not renew the lease', { error });
        return undefined;
      }
    }
    // It was changed: by another holder, or by a person; or an earlier try worked, and its answer was lost.
    try {
      const lease = await this.#bounded(
        this.#api.get<Lease>(LEASE_KIND, this.#ref),
        Math.max(1, this.#left()),
      );
      if (lease === undefined) return 'the lease was deleted';
      this.#observed = observe(this.#observed, lease, this.#steady());
      return lease.spec.holderIdentity === this.#identity ? undefined : 'another process has taken it';
    } catch (error) {
      this.#log.warn('could not look at the lease', { error });
      return undefined;
    }
  }

  /** Writes the lease, guarded by its resource version; when that works, moves the fence. */
  async #claim(before: Lease | undefined): Promise<void> {
    // From before the request: nobody can have seen the renewal earlier.
    const wall = this.#clock.now();
    const steady = this.#steady();
    const term = this.#term;
    const wanted = claim(this.#ref, before, {
      identity: this.#identity,
      now: wall,
      leaseDurationMs: this.#leaseDurationMs,
    });
    const lease =
      before === undefined
        ? await this.#api.create(LEASE_KIND, wanted)
        : await this.#api.update(LEASE_KIND, wanted);
    // The answer may come when the leadership is over already: then it changes nothing.
    if (term !== this.#term) return;
    this.#observed = { lease, seenAt: this.#steady() };
    this.#fence = { wall: wall + this.#renewDeadlineMs, steady: steady + this.#renewDeadlineMs };
  }

  #endTerm(): void {
    this.#term += 1;
    this.#fence = { wall: 0, steady: 0 };
  }

  async #release(): Promise<void> {
    const held = this.#observed?.lease;
    if (held?.spec.holderIdentity !== this.#identity) return;
    try {
      await this.#bounded(
        this.#api.update(LEASE_KIND, giveBack(held, this.#clock.now())),
        this.#retryPeriodMs,
      );
      this.#log.info('gave the lease back');
    } catch (error) {
      this.#log.warn('could not give the lease back: others wait until it runs out', { error });
    }
  }

  /** What `call` gives, or an error after `ms`; the call itself goes on, and its outcome is then only logged. */
  async #bounded<T>(call: Promise<T>, ms: number): Promise<T> {
    const timer = new AbortController();
    let late = false;
    const timeout = this.#clock.sleep(ms, timer.signal).then(() => {
      late = true;
      throw new Error(`no answer in ${Math.round(ms) / 1000} s`);
    });
    // The race listens to both; what comes second must not count as unhandled.
    timeout.catch(() => undefined);
    call.catch((error: unknown) => {
      if (late) this.#log.debug('a call failed after its time limit', { error });
    });
    try {
      return await Promise.race([call, timeout]);
    } finally {
      timer.abort();
    }
  }

  /** Ends early, without an error, when `signal` aborts. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(Math.max(1, ms), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Milliseconds until the fence; negative when it has passed. */
  #left(): number {
    return this.fence() - this.#clock.now();
  }

  #steady(): number {
    return this.#clock.steady?.() ?? this.#clock.now();
  }
}
