/** Whether Kafka's log of a partition is still the one that its position in Redis is of. */
import type { Log } from '../log/index.ts';

/**
 * After so many looks in a row that showed one and the same other log it is another one. A broker that was cut off may tell
 * an old one for some seconds.
 */
const ANOTHER_LOOKS = 3;
/**
 * After so many looks in a row at which the log ended before the position, some of it is lost. A minute: a broker that was cut
 * off and takes itself for the leader tells an end of long ago, and who believed it would append all records once more.
 */
const SHORT_LOOKS = 20;

/** What a look at a partition shows. */
export interface LogLook {
  /** Last offset that is in Redis; undefined: none. */
  position: number | undefined;
  /** The id of the log that the position is of; undefined: none is noted. */
  noted: string | undefined;
  /** The id of the log in Kafka; undefined: Kafka did not say. */
  id: string | undefined;
  /** Where the log in Kafka ends; undefined: Kafka did not say. */
  end: number | undefined;
}

/**
 * What it means. `note`: the log's id is to be noted. `anew`: the topic was deleted and made anew, the position is of no
 * use. `lost`: it is the same log, but Kafka has lost records that were acknowledged; so with the position.
 */
export type Verdict = 'fine' | 'wait' | 'note' | 'anew' | 'lost';

/** Judges a partition by one look after the other. What a look does not show begins its row anew. */
export class LogJudge {
  /** The other log that was seen, and at how many looks in a row. */
  #another: string | undefined;
  #anotherLooks = 0;
  #shortLooks = 0;

  judge(look: LogLook): Verdict {
    const { position, noted, id } = look;
    const isAnother = position !== undefined && noted !== undefined && id !== undefined && id !== noted;
    this.#anotherLooks = !isAnother ? 0 : id === this.#another ? this.#anotherLooks + 1 : 1;
    this.#another = isAnother ? id : undefined;
    // Where it is another log the position says nothing about its end.
    this.#shortLooks = !isAnother && endsEarly(look) ? this.#shortLooks + 1 : 0;
    if (isAnother) return this.#anotherLooks >= ANOTHER_LOOKS ? 'anew' : 'wait';
    if (id !== undefined && id !== noted) return 'note';
    if (this.#shortLooks >= SHORT_LOOKS) return 'lost';
    return this.#shortLooks > 0 ? 'wait' : 'fine';
  }
}

function endsEarly({ position, end }: LogLook): boolean {
  return position !== undefined && end !== undefined && end < position + 1;
}

/** The part of Redis that keeps where sources are in which logs; see RedisStreams. A source is `<topic>/<partition>`. */
export interface KeptLogs {
  /** Takes note of the id of a source's log, unless the source has a position of another one. */
  noteLog(source: string, id: string): Promise<void>;
  /** Forgets how far a source is, unless it is not at `position` any more. */
  forget(source: string, position: number): Promise<boolean>;
  /** Forgets how far a source is in log `from`, and notes that it is of log `to`; unless it is not of `from` any more. */
  replaceLog(source: string, from: string, to: string): Promise<boolean>;
}

/** Does what a verdict asks for. True: the source has no position any more, and is to be built anew from Kafka. */
export async function heed(
  verdict: Verdict,
  { source, position, noted, id, end }: LogLook & { source: string },
  kept: KeptLogs,
  log: Log,
): Promise<boolean> {
  if (verdict === 'note' && id !== undefined) await kept.noteLog(source, id);
  if (verdict === 'anew' && noted !== undefined && id !== undefined) {
    log.warn('the topic was made anew, starting over', { source, was: noted, is: id });
    return kept.replaceLog(source, noted, id);
  }
  if (verdict === 'lost' && position !== undefined) {
    log.warn('Kafka has lost records that it had acknowledged, starting over with what it has', {
      source,
      position,
      end,
    });
    return kept.forget(source, position);
  }
  return false;
}
