/** When a consumer counts as lost, milliseconds. */
export interface ContactLimits {
  /** A member has heard nothing of its group for so long. */
  memberMs: number;
  /** It has been joining for so long, since its last attempt began. */
  joiningMs: number;
}

/**
 * A member whose coordinator is lost looks for the next one for 6 s (kafkajs-coordinator.ts), and then begins to join. Kafka may take
 * 9 s to have one. One that is given up before makes the group change twice more. So after this time what is left is a kafkajs that
 * hangs. To join may take longer: members wait for each other in a rebalance.
 */
export const CONTACT: ContactLimits = { memberMs: 15_000, joiningMs: 20_000 };

/** Whether a consumer still hears of its group. `now` is always monotonic milliseconds. */
export class GroupContact {
  readonly #limits: ContactLimits;
  #at: number;
  #isJoining = true;

  /** It begins to join. */
  constructor(now: number, limits: ContactLimits = CONTACT) {
    this.#at = now;
    this.#limits = limits;
  }

  /** It is a member: it has joined, or a heartbeat was answered. */
  heard(now: number): void {
    this.#at = now;
    this.#isJoining = false;
  }

  /** It is a member that was told to join again, or begins to wait for the others. */
  rejoins(now: number): void {
    this.#at = now;
    this.#isJoining = true;
  }

  /** It is to be given up: one that is made anew finds the group where it is now. */
  isLost(now: number): boolean {
    return now - this.#at > (this.#isJoining ? this.#limits.joiningMs : this.#limits.memberMs);
  }
}
