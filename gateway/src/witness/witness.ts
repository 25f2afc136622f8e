import type { GatewayConfig, ZoneView } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { NO_SIGHT, podsToAsk, seenZone, unreachableMs, withAddresses, withAnswers } from './sight.ts';
import type { Sight } from './sight.ts';

/** Between the beginnings of two rounds, a quarter more or less; milliseconds. */
const ROUND_MS = 1_000;
/** Pods of a zone that are asked in each round, and how long they have to answer, milliseconds. */
const PODS_AT_ONCE = 3;
const ANSWER_MS = 1_000;
/** A round that takes longer than answers may was held up by ourselves; milliseconds. */
const STALL_MS = 250;
/** Between lookups of all zones, and while one is silent or unknown; milliseconds. */
const LOOKUP_MS = 10_000;
const LOOKUP_SOON_MS = 2_000;
/** The log has what lasts longer; milliseconds. */
const SAY_AFTER_MS = 3_000;

/** What a witness works with. */
export interface WitnessParts {
  /** Where we are: those of our own zone are not asked. */
  zone: string;
  peers: GatewayConfig['peers'];
  log: Log;
  /** Addresses of a name; empty: there are none. Rejects when nobody can say. */
  lookup: (host: string) => Promise<string[]>;
  /** Whether it answers in time. */
  ask: (address: string, port: number, timeoutMs: number) => Promise<boolean>;
  /** Monotonic and Unix milliseconds, and numbers from 0 up to 1. */
  now: () => number;
  unixNow: () => number;
  random: () => number;
}

interface Zone {
  peer: GatewayConfig['peers'][number];
  sight: Sight;
  /** When it was said in the log that it is unreachable. */
  saidAt: number | undefined;
}

/** What is known of one zone. */
interface ZoneSight extends Pick<Sight, 'pods' | 'answeredAt'> {
  zone: string;
  unreachableMs: number;
}

/**
 * Asks a few gateways of each other zone every second whether they are there. Addresses are looked up beside that, one name
 * at a time, and remembered: without DNS it goes on with those that it has.
 */
export class Witness {
  readonly #parts: WitnessParts;
  readonly #zones: Zone[];
  readonly #timers = new Map<Zone | 'lookup', NodeJS.Timeout>();
  /** When all names were looked up last, monotonic milliseconds; undefined: it is under way. */
  #lookedUpAt: number | undefined;
  #stopped = false;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    this.#zones = parts.peers
      .filter(({ zone }) => zone !== parts.zone)
      .map((peer) => ({ peer, sight: NO_SIGHT, saidAt: undefined }));
  }

  get view(): ZoneView {
    const { zone, now, unixNow } = this.#parts;
    const [at, unixAt] = [now(), unixNow()];
    return { zone, seen: this.#zones.map(({ peer, sight }) => seenZone(peer.zone, sight, at, unixAt)) };
  }

  /** The same for those who look often. Times are those of `now`. */
  get sights(): ZoneSight[] {
    const at = this.#parts.now();
    return this.#zones.map(({ peer: { zone }, sight }) => ({
      zone,
      pods: sight.pods,
      answeredAt: sight.answeredAt,
      unreachableMs: unreachableMs(sight, at),
    }));
  }

  start(): void {
    if (this.#zones.length === 0) return;
    void this.#lookUp();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #later(key: Zone | 'lookup', ms: number, run: () => Promise<void>): void {
    if (!this.#stopped)
      this.#timers.set(
        key,
        setTimeout(() => void run(), ms),
      );
  }

  async #lookUp(): Promise<void> {
    const { lookup, now, log, random } = this.#parts;
    this.#lookedUpAt = undefined;
    for (const zone of this.#zones) {
      if (this.#stopped) return;
      try {
        zone.sight = withAddresses(zone.sight, await lookup(zone.peer.host), now());
      } catch (error) {
        // What is known stays.
        log.debug('peers not looked up', {
          host: zone.peer.host,
          code: (error as NodeJS.ErrnoException).code,
        });
      }
      if (!this.#timers.has(zone)) this.#later(zone, 0, () => this.#round(zone));
    }
    this.#lookedUpAt = now();
    const soon = this.#zones.some(({ sight }) => sight.silent || sight.pods.size === 0);
    this.#later('lookup', (soon ? LOOKUP_SOON_MS : LOOKUP_MS) * (0.75 + random() / 2), () => this.#lookUp());
  }

  /** Pods that went away together may just have been replaced, under other addresses. */
  #lookUpSoon(): void {
    if (this.#lookedUpAt === undefined) return;
    clearTimeout(this.#timers.get('lookup'));
    const wait = this.#lookedUpAt + LOOKUP_SOON_MS - this.#parts.now();
    this.#later('lookup', Math.max(0, wait), () => this.#lookUp());
  }

  async #round(zone: Zone): Promise<void> {
    const { ask, now, random } = this.#parts;
    const { port } = zone.peer;
    const began = now();
    const asked = podsToAsk(zone.sight, PODS_AT_ONCE, random);
    const answers = new Map(
      await Promise.all(asked.map(async (pod) => [pod, await ask(pod, port, ANSWER_MS)] as const)),
    );
    const tookMs = now() - began;
    const reliable = tookMs <= ANSWER_MS + STALL_MS;
    const before = zone.sight;
    zone.sight = withAnswers(before, answers, { now: now(), reliable });
    if (zone.sight.silent && !before.silent) this.#lookUpSoon();
    this.#say(zone);
    const rest = ROUND_MS * (0.75 + random() / 2) - tookMs;
    this.#later(zone, Math.max(0, rest), () => this.#round(zone));
  }

  #say(zone: Zone): void {
    const { log, now } = this.#parts;
    const { sight, peer, saidAt } = zone;
    if (saidAt === undefined && unreachableMs(sight, now()) >= SAY_AFTER_MS) {
      zone.saidAt = now();
      log.warn('no gateway of a zone answers', { unreachable: peer.zone, pods: sight.pods.size });
    } else if (saidAt !== undefined && !sight.silent) {
      zone.saidAt = undefined;
      const seconds = (now() - saidAt + SAY_AFTER_MS) / 1000;
      log.info('gateways of a zone answer again', { reachable: peer.zone, seconds });
    }
  }
}
