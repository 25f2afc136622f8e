/** Carries calls from processes to the fake servers, and decides with the fault plan what becomes of each. */
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A request of an operator. */
export interface Call {
  process: SimProcess;
  target: 'kube' | 'kafka' | 'redis' | 'etcd' | 'gateway';
  verb: string;
  /** Such as `Deployment orders-gateway-zone-a`. */
  what: string;
  /** It changes something. The renewal of a lease does not count. */
  mutates: boolean;
  /** It only tells people of something: an event. */
  tells: boolean;
  /** Of those that change something and not only tell, over all processes: 1, 2, … Else 0. */
  index: number;
}

/** What becomes of a call. Times in milliseconds from when it was made. */
export type Fate =
  | { kind: 'answered'; requestMs: number; replyMs: number }
  /** The server says no, and does nothing. */
  | { kind: 'refused'; afterMs: number; error: Error }
  /** No answer comes. The effect comes at `effectMs`, perhaps after the caller gave up, or never. */
  | { kind: 'lost'; afterMs: number; error: Error; effectMs: number | undefined }
  /** The process dies: before the request goes out, or when it has taken effect and before the answer is there. */
  | { kind: 'crash'; when: 'before' | 'after' };

/** Decides the fate of every call. */
export type FaultPlan = (call: Call) => Fate;

/** Everything is answered after two milliseconds. */
export const calm: FaultPlan = () => ({ kind: 'answered', requestMs: 1, replyMs: 1 });

/** The calm run, but the process dies at the call of that index. */
export function crashAt(index: number, when: 'before' | 'after'): FaultPlan {
  return (call) => (call.index === index ? { kind: 'crash', when } : calm(call));
}

/** Writes in so many milliseconds that no honest work needs. */
const STORM = 500;
const STORM_WINDOW_MS = 5_000;

export class Network {
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  #plan: FaultPlan;
  #mutations = 0;
  #writes = 0;
  /** Since when writes are counted for {@link isStorming}, and how many there were. */
  #window = { since: 0, writes: 0 };
  #lastWrite: number;

  constructor(time: VirtualTime, plan: FaultPlan, trace: Trace) {
    this.#time = time;
    this.#trace = trace;
    this.#plan = plan;
    this.#lastWrite = time.now;
  }

  /** Calls made so far that change something, events as well. */
  get writes(): number {
    return this.#writes;
  }

  /** Of those, all but events: the calls that {@link Call.index} counts. */
  get mutations(): number {
    return this.#mutations;
  }

  /** When the last write was made. */
  get lastWrite(): number {
    return this.#lastWrite;
  }

  /** True when an operator writes without end: each write leads to the next. */
  get isStorming(): boolean {
    return this.#window.writes > STORM;
  }

  setPlan(plan: FaultPlan): void {
    this.#plan = plan;
  }

  /** Makes a call; `effect` is what the server does. A dead process never hears of it. */
  call<T>(request: Omit<Call, 'index' | 'tells'> & { tells?: boolean }, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const { process } = request;
      if (!process.alive) return;
      const asked = { tells: false, ...request };
      const call: Call = { ...asked, index: this.#count(asked) };
      const fate = this.#plan(call);
      this.#record(call, fate);
      switch (fate.kind) {
        case 'answered':
          this.#answered(call, fate, { effect, resolve, reject });
          return;
        case 'refused':
          this.#time.after(fate.afterMs, () => process.deliver(() => reject(fate.error)));
          return;
        case 'lost':
          if (fate.effectMs !== undefined) this.#time.after(fate.effectMs, () => attempt(effect));
          this.#time.after(fate.afterMs, () => process.deliver(() => reject(fate.error)));
          return;
        case 'crash':
          process.kill();
          if (fate.when === 'after') this.#time.after(0, () => attempt(effect));
          return;
        default:
          throw new TypeError(`no such fate: ${JSON.stringify(fate)}`);
      }
    });
  }

  #answered<T>(
    { process }: Call,
    { requestMs, replyMs }: Extract<Fate, { kind: 'answered' }>,
    {
      effect,
      resolve,
      reject,
    }: { effect: () => T; resolve: (value: T) => void; reject: (error: Error) => void },
  ): void {
    this.#time.after(requestMs, () => {
      const outcome = attempt(effect);
      this.#time.after(replyMs, () =>
        process.deliver(() => (outcome.ok ? resolve(outcome.value) : reject(outcome.error))),
      );
    });
  }

  #count({ mutates, tells }: Omit<Call, 'index'>): number {
    if (!mutates) return 0;
    this.#writes += 1;
    if (!this.isStorming && this.#time.now - this.#window.since > STORM_WINDOW_MS) {
      this.#window = { since: this.#time.now, writes: 0 };
    }
    this.#window.writes += 1;
    this.#lastWrite = this.#time.now;
    if (tells) return 0;
    this.#mutations += 1;
    return this.#mutations;
  }

  #record(call: Call, fate: Fate): void {
    if (!call.mutates && fate.kind === 'answered') return;
    this.#trace.add(() => {
      const number = call.index > 0 ? ` #${call.index}` : '';
      return `${call.process.name}${number} ${call.target} ${call.verb} ${call.what}${describe(fate)}`;
    });
  }
}

type Attempt<T> = { ok: true; value: T } | { ok: false; error: Error };

function attempt<T>(effect: () => T): Attempt<T> {
  try {
    return { ok: true, value: effect() };
  } catch (error) {
    // A bug of a fake server is no answer of a server: it ends the run.
    if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) throw error;
    return { ok: false, error };
  }
}

function describe(fate: Fate): string {
  if (fate.kind === 'refused') return ` → refused: ${fate.error.message}`;
  if (fate.kind === 'crash') return ` → the process dies ${fate.when} it takes effect`;
  if (fate.kind !== 'lost') return '';
  const effect = fate.effectMs === undefined ? 'no effect' : `takes effect after ${fate.effectMs} ms`;
  return ` → no answer for ${fate.afterMs} ms, ${effect}`;
}
