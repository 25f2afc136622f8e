import type { MessagePlatform } from './types.ts';

/**
 * With which revision the etcd of each home was fenced: nothing that an application wrote is later. It lasts as long as
 * the process; a fence may be repeated, and then says it again.
 */
export class FenceMemory {
  readonly #revisions = new Map<string, bigint>();

  /** `revision`: decimal. */
  fenced(platform: MessagePlatform, zone: string, revision: string): void {
    this.#revisions.set(keyOf(platform, zone), BigInt(revision));
  }

  /** It takes writes again. */
  lifted(platform: MessagePlatform, zone: string): void {
    this.#revisions.delete(keyOf(platform, zone));
  }

  revisionOf(platform: MessagePlatform, zone: string): bigint | undefined {
    return this.#revisions.get(keyOf(platform, zone));
  }
}

/**
 * Which zones said nothing when they were last asked. It lasts as long as the process: after that one look takes longer.
 */
export class SilenceMemory {
  readonly #silent = new Set<string>();

  noted(platform: MessagePlatform, zone: string, isSilent: boolean): void {
    if (isSilent) this.#silent.add(keyOf(platform, zone));
    else this.#silent.delete(keyOf(platform, zone));
  }

  wasSilent(platform: MessagePlatform, zone: string): boolean {
    return this.#silent.has(keyOf(platform, zone));
  }
}

function keyOf({ metadata }: MessagePlatform, zone: string): string {
  return `${metadata.uid}/${zone}`;
}
