import type { DrainState } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { beginPace, clientsDue, rateInTime, shuffle } from './pace.ts';
import type { Pace } from './pace.ts';

/** How often clients are sent away, milliseconds. */
const TICK_MS = 20;
/** How often the log says how far it is, milliseconds. */
const PROGRESS_MS = 5_000;

/** Whose clients are sent away. */
export interface DrainHost<C extends object> {
  /** Clients that are here now, those that were sent away and have not gone yet too. */
  readonly connections: number;
  /** Whether clients could come until now. */
  readonly reachable: boolean;
  /** All that are here now, in any order. */
  clients(): C[];
  /** Asks one to go elsewhere. False: it is gone already. */
  sendAway(client: C): boolean;
  /** From now on nobody new is served. `last`: nor will be again. */
  close(last: boolean): void;
}

/** What a drain works with. */
export interface DrainParts<C extends object> {
  host: DrainHost<C>;
  /** How long load balancers get to notice that we are not ready, milliseconds. */
  noticeMs: number;
  log: Log;
  /** Monotonic and Unix milliseconds, and numbers from 0 up to 1. */
  now: () => number;
  unixNow: () => number;
  random: () => number;
}

/** How a gateway that ends is emptied. Milliseconds. */
export interface LastDrain {
  perSecond: number;
  noticeMs: number;
  /** All have been sent away by then, faster than `perSecond` if need be; the notice is not counted. */
  timeoutMs: number;
}

/** A drain that is under way, or over with the gateway still to be empty. */
interface Run<C> {
  perSecond: number;
  /** Unix milliseconds. */
  startedAt: number;
  endedAt: number | undefined;
  atStart: number;
  sent: number;
  /** Monotonic milliseconds. */
  noticeUntil: number;
  /** Of a gateway that ends: how long it may take once the notice is over, and what to call then. */
  last: { timeoutMs: number; done: () => void } | undefined;
  /** There once the notice is over; `deadline`: monotonic milliseconds. */
  sending: { pace: Pace; deadline: number; waiting: C[]; left: WeakSet<object> } | undefined;
  saidAt: number;
}

/**
 * Empties a gateway, for as long as somebody asks for it ({@link ask}) or because it ends ({@link leave}): it stops being
 * ready, load balancers get time to notice, then clients are sent away in random order. Those that still come are sent
 * away at once; who lets them in asks {@link closed}.
 */
export class Drain<C extends object> {
  readonly #parts: DrainParts<C>;
  #run: Run<C> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: DrainParts<C>) {
    this.#parts = parts;
  }

  /** Why the gateway should get no traffic; undefined: it should. */
  get reason(): string | undefined {
    if (!this.#run) return undefined;
    return this.#run.last ? 'draining: this gateway ends' : 'draining: somebody asked for it to be empty';
  }

  /** Nobody new is to be served. */
  get closed(): boolean {
    return this.#run?.sending !== undefined;
  }

  /** The gateway ends. */
  get last(): boolean {
    return this.#run?.last !== undefined;
  }

  get state(): DrainState {
    const { connections } = this.#parts.host;
    const run = this.#run;
    if (!run) return { phase: 'Serving', connections, sent: 0 };
    const { perSecond, startedAt, endedAt, atStart, sent } = run;
    return {
      phase: phaseOf(run),
      perSecond,
      startedAt: new Date(startedAt).toISOString(),
      ...(endedAt !== undefined && { endedAt: new Date(endedAt).toISOString() }),
      connections,
      atStart,
      sent,
    };
  }

  /**
   * Begins to send `perSecond` clients away each second, or goes on at this rate; undefined: serves again. A gateway that
   * nobody could reach yet needs no notice.
   */
  ask(perSecond: number | undefined): void {
    const run = this.#run;
    if (run?.last) return;
    if (perSecond === undefined) this.#serveAgain();
    else if (!run) this.#begin(perSecond, this.#parts.host.reachable ? this.#parts.noticeMs : 0);
    else if (run.perSecond !== perSecond) {
      run.perSecond = perSecond;
      this.#say('drain goes on at another rate');
    }
  }

  /**
   * Empties the gateway for good, by rules of its own; what was asked for before is over. Resolves when all clients were
   * sent away.
   */
  leave({ perSecond, noticeMs, timeoutMs }: LastDrain): Promise<void> {
    const noticeUntil = this.#parts.now() + noticeMs;
    const run = (this.#run ??= this.#newRun(perSecond, noticeMs));
    run.perSecond = perSecond;
    run.noticeUntil = Math.min(run.noticeUntil, noticeUntil);
    return new Promise((resolve) => {
      run.last = { timeoutMs, done: resolve };
      // Who was asked already has closed some of it.
      if (run.sending) this.#startSending(run);
      this.#say('this gateway ends');
      if (run.endedAt !== undefined) resolve();
      else this.#keepTicking();
    });
  }

  /** Somebody new came, and was sent away. */
  turnedAway(): void {
    if (this.#run) this.#run.sent += 1;
  }

  /** Does what is due. Called by a timer while there is something to do. */
  tick(): void {
    const run = this.#run;
    if (!run || run.endedAt !== undefined) return this.#stopTicking();
    if (!run.sending) {
      if (this.#parts.now() < run.noticeUntil) return;
      this.#startSending(run);
    }
    this.#sendDue(run);
    if (this.#isOver(run)) this.#end(run);
    else if (this.#parts.now() - run.saidAt >= PROGRESS_MS) this.#say('draining');
  }

  #begin(perSecond: number, noticeMs: number): void {
    this.#run = this.#newRun(perSecond, noticeMs);
    this.#say('drain asked for');
    this.#keepTicking();
    this.tick();
  }

  #newRun(perSecond: number, noticeMs: number): Run<C> {
    const { host, now, unixNow } = this.#parts;
    return {
      perSecond,
      startedAt: unixNow(),
      endedAt: undefined,
      atStart: host.connections,
      sent: 0,
      noticeUntil: now() + noticeMs,
      last: undefined,
      sending: undefined,
      saidAt: now(),
    };
  }

  #startSending(run: Run<C>): void {
    const { host, now, random } = this.#parts;
    const deadline = now() + (run.last?.timeoutMs ?? Number.POSITIVE_INFINITY);
    if (run.sending) run.sending.deadline = deadline;
    else run.sending = { pace: beginPace(now(), random), deadline, waiting: [], left: new WeakSet() };
    host.close(run.last !== undefined);
  }

  #sendDue(run: Run<C>): void {
    const { host, now, random } = this.#parts;
    const { sending } = run;
    if (!sending) return;
    if (sending.waiting.length === 0) sending.waiting = this.#stillHere(sending.left);
    const { waiting, deadline } = sending;
    const perSecond = rateInTime(run.perSecond, waiting.length, deadline - now());
    const { pace, due } = clientsDue(sending.pace, { perSecond, left: waiting.length }, now(), random);
    sending.pace = pace;
    for (let gone = 0; gone < due;) {
      const client = waiting.pop();
      if (client === undefined) return;
      sending.left.add(client);
      // One that went by itself takes nobody's turn.
      if (!host.sendAway(client)) continue;
      gone += 1;
      run.sent += 1;
    }
  }

  /** Clients that were not sent away yet, in random order: all that there are when it begins, and late ones after it. */
  #stillHere(left: WeakSet<object>): C[] {
    const { host, random } = this.#parts;
    if (host.connections === 0) return [];
    return shuffle(
      host.clients().filter((client) => !left.has(client)),
      random,
    );
  }

  #isOver({ last, sending }: Run<C>): boolean {
    if (!sending || sending.waiting.length > 0) return false;
    // A gateway that ends does not wait longer than it must for clients that say nothing.
    return last ? this.#stillHere(sending.left).length === 0 : this.#parts.host.connections === 0;
  }

  #end(run: Run<C>): void {
    run.endedAt = this.#parts.unixNow();
    this.#stopTicking();
    this.#say('drained', { seconds: (run.endedAt - run.startedAt) / 1000 });
    run.last?.done();
  }

  #serveAgain(): void {
    if (!this.#run) return;
    this.#say('drain taken back: serving again');
    this.#run = undefined;
    this.#stopTicking();
  }

  #say(what: string, more: Record<string, unknown> = {}): void {
    const run = this.#run;
    if (!run) return;
    run.saidAt = this.#parts.now();
    const { perSecond, atStart, sent } = run;
    this.#parts.log.info(what, {
      perSecond,
      connections: this.#parts.host.connections,
      atStart,
      sent,
      ...more,
    });
  }

  #keepTicking(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  #stopTicking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function phaseOf({ sending, endedAt }: Run<unknown>): DrainState['phase'] {
  if (!sending) return 'Noticing';
  return endedAt === undefined ? 'Draining' : 'Drained';
}
