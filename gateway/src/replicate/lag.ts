/** How far the target is behind: in revisions, and in seconds. */

interface Sample {
  revision: bigint;
  at: number;
}

/** How far behind. */
export interface Lag {
  /** `undefined` while the source's or the target's revision is unknown. */
  revisions: bigint | undefined;
  /** Seconds since the target was known to hold all that the source then had, or since the beginning. 0 while it does. */
  seconds: number;
  /** The target held all that the source was seen to have at least once: before, `seconds` only count from the beginning. */
  isMeasured: boolean;
}

/** Samples closer together than this are one, milliseconds. */
const RESOLUTION_MS = 20;
/** How long after the last sight of the source "nothing is missing" is still believed, milliseconds. */
const TRUST_MS = 5000;

/** Compares what the source was seen to have, and when, with what the target has. Times in milliseconds. */
export class LagTracker {
  /** Sights of the source that the target hasn't reached, ascending. */
  #ahead: Sample[] = [];
  #freshAt: number;
  #isMeasured = false;
  #lastSeen: number | undefined;
  #source: bigint | undefined;
  #position: bigint | undefined;

  constructor(now: number) {
    this.#freshAt = now;
  }

  /** The source was at `revision` at the time `at`. */
  observe(revision: bigint, at: number): void {
    this.#lastSeen = at;
    if (this.#source === undefined || revision > this.#source) this.#source = revision;
    const last = this.#ahead.at(-1);
    if (this.#position !== undefined && this.#position >= revision) {
      if (last === undefined) this.#held(at);
    } else if (last === undefined || (revision > last.revision && at - last.at >= RESOLUTION_MS)) {
      this.#ahead.push({ revision, at });
    }
  }

  /** The target holds the source's revision `position` whole. */
  reach(position: bigint): void {
    if (this.#position === undefined || position > this.#position) this.#position = position;
    // What the target has, the source had.
    if (this.#source === undefined || position > this.#source) this.#source = position;
    let passed = 0;
    for (const { revision, at } of this.#ahead) {
      if (revision > position) break;
      this.#held(at);
      passed += 1;
    }
    if (passed > 0) this.#ahead.splice(0, passed);
  }

  /** Another source, or one that went back: what was seen of the old one says nothing. */
  reset(): void {
    this.#ahead = [];
    this.#source = undefined;
    this.#position = undefined;
    this.#isMeasured = false;
  }

  get source(): bigint | undefined {
    return this.#source;
  }

  get position(): bigint | undefined {
    return this.#position;
  }

  /** The lag at the time `now`. */
  lag(now: number): Lag {
    const known = this.#source !== undefined && this.#position !== undefined;
    const revisions = known ? atLeastZero((this.#source ?? 0n) - (this.#position ?? 0n)) : undefined;
    const trusted = this.#lastSeen !== undefined && now - this.#lastSeen <= TRUST_MS;
    const isMeasured = this.#isMeasured;
    if (revisions === 0n && trusted) return { revisions, seconds: 0, isMeasured };
    return { revisions, seconds: Math.max(0, now - this.#freshAt) / 1000, isMeasured };
  }

  /** The target has what the source had at the time `at`. */
  #held(at: number): void {
    this.#freshAt = Math.max(this.#freshAt, at);
    this.#isMeasured = true;
  }
}

function atLeastZero(value: bigint): bigint {
  return value < 0n ? 0n : value;
}
