/**
 * A member that nobody in its group has heard for longer than its session (6 s) is none any more. It is told so, or finds another
 * coordinator (kafkajs-coordinator.ts), before this is over: what is left is a kafkajs that hangs.
 */
const MEMBER_MS = 9_000;
/** Longer than a rebalance takes, in which members wait for each other. */
const JOINING_MS = 20_000;

/** Whether a consumer still hears of its group. `now` is always monotonic milliseconds. */
export class GroupContact {
  #at: number;
  #isJoining = true;

  /** It begins to join. */
  constructor(now: number) {
    this.#at = now;
  }

  /** It is a member: it has joined, or a heartbeat was answered. */
  heard(now: number): void {
    this.#at = now;
    this.#isJoining = false;
  }

  /** It is a member that was told to join again. */
  rejoins(now: number): void {
    this.#at = now;
    this.#isJoining = true;
  }

  /** It is to be given up: one that is made anew finds the group where it is now. */
  isLost(now: number): boolean {
    return now - this.#at > (this.#isJoining ? JOINING_MS : MEMBER_MS);
  }
}
