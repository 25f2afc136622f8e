/**
 * Leader election with a Lease, as client-go's, made strict: a leader acts only before its fence, which passes
 * before anybody else can take the lease. Other machines' clocks don't matter, only how fast they run.
 */
import type { Clock } from './clock.ts';
import { isConflict } from './kube-api.ts';
import type { KubeApi, ObjectRef } from './kube-api.ts';
import { claim, giveBack, LEASE_KIND, mayTake, observe } from './lease.ts';
import type { Candidate, Lease, LeaseObservation } from './lease.ts';
import { newAsk, withAsk, zoneOfHolder } from './lease-notes.ts';
import type { Ask } from './lease-notes.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { EngineMetrics } from './metrics.ts';

/** Where a process is, and whether another one leads from a better place. Each is asked anew, and must not block. */
export interface LeaderPlace {
  /** The zone of this process; undefined while it is not known: then it neither asks nor hands over. */
  zone(): string | undefined;
  /** True when this process would lead from a better place than one in that zone. */
  isBetterThan(zone: string): boolean;
  /** True when a leader may end its leadership now for a process in that zone. */
  mayYieldTo(zone: string): boolean;
}

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
  /** Default: all places are equal. */
  place?: LeaderPlace;
  /** Between two asks of a process that is better placed than the leader. Default 10 s. */
  askPeriodMs?: number;
  /** How long a process leads before it hands over. Default 30 s. */
  minLeadMs?: number;
  log?: Logger;
  metrics?: EngineMetrics;
}

/** Why {@link LeaderElector.run} ended. After `lost` a process should end: others act now. `yielded`: to one that asked. */
export type ElectionEnd = 'stopped' | 'lost' | 'yielded';

/** What came of a renewal; empty: it worked, or may be tried again. */
interface Renewal {
  /** Why the leadership is over. */
  lost?: string;
  /** Whom it is to be handed over to. */
  yieldTo?: Ask;
}

/** Before others have to wait until the lease runs out. */
const GIVE_BACK_TRIES = 3;

export class LeaderElector {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #ref: ObjectRef;
  readonly #identity: string;
  readonly #candidate: Candidate;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #place: LeaderPlace | undefined;
  readonly #askPeriodMs: number;
  readonly #minLeadMs: number;
  readonly #log: Logger;
  readonly #metrics: EngineMetrics;
  #observed: LeaseObservation | undefined;
  /** Until when this process may act, by wall time and by the clock that is never set. 0: it may not. */
  #fence = { wall: 0, steady: 0 };
  /** Counts the leaderships that are over. */
  #term = 0;
  /** When this process asked to lead, and when it began to; by the clock that is never set. */
  #askedAt = -Infinity;
  #ledSince = 0;
  /** Whom the leadership is handed over to. */
  #yieldTo: Ask | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#api = options.api;
    this.#clock = options.clock;
    this.#ref = options.lease;
    this.#identity = options.identity;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#place = options.place;
    this.#askPeriodMs = options.askPeriodMs ?? 10_000;
    this.#minLeadMs = options.minLeadMs ?? 30_000;
    this.#candidate = {
      identity: this.#identity,
      leaseDurationMs: this.#leaseDurationMs,
      // With its jitter, a process that asked has looked twice by then.
      deferMs: 3 * this.#retryPeriodMs,
    };
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
   * Waits until this process is the leader, then calls `lead`. Its `lost` aborts when the leadership is lost, its `stop` when
   * the one given here does, or when the leadership is to be handed over. When `lead` has ended, the lease is given back,
   * unless `lead` resolves false: something of it may still act, and the lease must run out by itself. What `lead` throws is
   * thrown, after that.
   */
  async run(
    stop: AbortSignal,
    lead: (signals: { stop: AbortSignal; lost: AbortSignal }) => Promise<boolean | void>,
  ): Promise<ElectionEnd> {
    if (!(await this.#acquire(stop))) return 'stopped';
    this.#log.info('became the leader');
    this.#metrics.leader.set({ name: this.#ref.name }, 1);
    const [lost, yielding, ended] = [new AbortController(), new AbortController(), new AbortController()];
    this.#ledSince = this.#steady();
    this.#yieldTo = undefined;
    const renewing = this.#renew({ lost, yielding }, ended.signal);
    let quiet = false;
    try {
      const signals = { stop: AbortSignal.any([stop, yielding.signal]), lost: lost.signal };
      quiet = (await lead(signals)) !== false;
    } finally {
      ended.abort();
      await renewing;
      this.#metrics.leader.set({ name: this.#ref.name }, 0);
      this.#endTerm();
      if (quiet && !lost.signal.aborted) await this.#release();
    }
    if (lost.signal.aborted) return 'lost';
    return yielding.signal.aborted ? 'yielded' : 'stopped';
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
      if (before !== undefined && !mayTake(before, this.#steady(), this.#candidate)) return;
      await this.#claim(undefined);
      return;
    }
    const before = this.holder;
    this.#observed = observe(this.#observed, lease, this.#steady());
    if (this.holder !== before && this.holder !== undefined) {
      this.#log.info('another process leads', { holder: this.holder });
    }
    const ours = lease.spec.holderIdentity === this.#identity;
    if (ours || mayTake(this.#observed, this.#steady(), this.#candidate)) await this.#claim(lease);
    else await this.#askFor(lease);
  }

  /** Asks the holder to hand over, when this process is better placed; guarded, so that it never undoes a renewal. */
  async #askFor(lease: Lease): Promise<void> {
    const holder = lease.spec.holderIdentity;
    const from = zoneOfHolder(lease, holder);
    const zone = this.#place?.zone();
    if (from === undefined || zone === undefined) return;
    if (this.#steady() < this.#askedAt + this.#askPeriodMs || this.#place?.isBetterThan(from) !== true)
      return;
    this.#askedAt = this.#steady();
    const ask = { identity: this.#identity, zone, at: new Date(this.#clock.now()).toISOString() };
    await this.#api.update(LEASE_KIND, { ...lease, metadata: withAsk(lease.metadata, ask) });
    this.#log.debug('asked the leader to hand over', { holder, from, zone });
  }

  /** Keeps the lease until `ended`; aborts `lost` when it can't be kept, `yielding` when it is to be handed over. */
  async #renew(
    { lost, yielding }: Record<'lost' | 'yielding', AbortController>,
    ended: AbortSignal,
  ): Promise<void> {
    while (!ended.aborted) {
      await this.#pause(Math.min(this.#retryPeriodMs, this.#left()), ended);
      if (ended.aborted) return;
      const left = this.#left();
      const { lost: why, yieldTo } =
        left <= 0 ? { lost: 'it could not be renewed in time' } : await this.#renewOnce(left);
      if (ended.aborted) return;
      if (why !== undefined) {
        this.#endTerm();
        this.#log.error('lost the leadership', { why, holder: this.holder });
        lost.abort(new Error(`leadership was lost: ${why}`));
        return;
      }
      if (yieldTo !== undefined && !yielding.signal.aborted) {
        this.#yieldTo = yieldTo;
        this.#log.info('hands the leadership over to a process in a better place', { to: yieldTo });
        yielding.abort(new Error(`the leadership goes to ${yieldTo.identity}`));
      }
    }
  }

  async #renewOnce(leftMs: number): Promise<Renewal> {
    try {
      await this.#bounded(this.#claim(this.#observed?.lease), leftMs);
      return {};
    } catch (error) {
      if (!isConflict(error)) {
        this.#log.warn('could not renew the lease', { error });
        return {};
      }
    }
    try {
      return await this.#renewChanged();
    } catch (error) {
      if (!isConflict(error)) this.#log.warn('could not look at the lease, or renew it', { error });
      return {};
    }
  }

  /** It was changed: by another holder, one who asks, or a person; or an earlier try worked, and its answer was lost. */
  async #renewChanged(): Promise<Renewal> {
    const before = this.#observed?.lease;
    const lease = await this.#bounded(this.#api.get<Lease>(LEASE_KIND, this.#ref), Math.max(1, this.#left()));
    if (lease === undefined) return { lost: 'the lease was deleted' };
    this.#observed = observe(this.#observed, lease, this.#steady());
    if (lease.spec.holderIdentity !== this.#identity) return { lost: 'another process has taken it' };
    // At once, so that who asks, even in vain, does not cost a renewal.
    await this.#bounded(this.#claim(lease), Math.max(1, this.#left()));
    const ask = newAsk(before, lease);
    return ask !== undefined && this.#grants(ask) ? { yieldTo: ask } : {};
  }

  #grants({ zone, identity }: Ask): boolean {
    const granted =
      this.#steady() >= this.#ledSince + this.#minLeadMs && this.#place?.mayYieldTo(zone) === true;
    if (!granted) this.#log.debug('does not hand over now', { identity, zone });
    return granted;
  }

  /** Writes the lease, guarded by its resource version; when that works, moves the fence. */
  async #claim(before: Lease | undefined): Promise<void> {
    // From before the request: nobody can have seen the renewal earlier.
    const wall = this.#clock.now();
    const steady = this.#steady();
    const term = this.#term;
    const wanted = claim(this.#ref, before, {
      identity: this.#identity,
      zone: this.#place?.zone(),
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
    try {
      const given = await this.#bounded(this.#giveBack(), this.#retryPeriodMs);
      if (given) this.#log.info('gave the lease back');
    } catch (error) {
      this.#log.warn('could not give the lease back: others wait until it runs out', { error });
    }
  }

  /** False when it is not this process's any more. */
  async #giveBack(): Promise<boolean> {
    let held = this.#observed?.lease;
    for (let tries = 1; held?.spec.holderIdentity === this.#identity; tries += 1) {
      try {
        await this.#api.update(LEASE_KIND, giveBack(held, this.#clock.now(), this.#yieldTo));
        return true;
      } catch (error) {
        // Somebody asked meanwhile, and who asks writes the lease too.
        if (!isConflict(error) || tries === GIVE_BACK_TRIES) throw error;
      }
      held = await this.#api.get<Lease>(LEASE_KIND, this.#ref);
    }
    return false;
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
