/** 2,000 clients and their publishers: the load generator's crowd, with its journal in a folder of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlatformAccess } from '../../platform/index.ts';
import { Load, type CrowdLook } from '../gateway/load.ts';
import { readJournal, type Journal } from './journal.ts';

/** Who comes, and what is published. */
export interface CrowdSetting {
  clients: number;
  /** Clients of each channel. */
  perChannel: number;
  publishers: number;
  perSecond: number;
  bytes: number;
  /** What SDKs call `maxServerPingDelay`, seconds; clients have them by turns. */
  pingDelays: readonly number[];
}

/** At once, until all are there: what two cores can do without time-outs. */
const CONCURRENCY = 24;
/** For all to be there, seconds. */
const GATHER_SECONDS = 90;
/** For the last publications to arrive, seconds. */
const SETTLE_SECONDS = 20;

/** A crowd that is there, and publishes. */
export class Crowd {
  /** What it writes while it is there. */
  readonly #folder: string;
  #isKept = false;
  readonly #load: Load;

  private constructor(load: Load, folder: string) {
    this.#load = load;
    this.#folder = folder;
  }

  /** Lets all connect to the address, and begins to publish. `leave` must be called. */
  static async gather(access: PlatformAccess, address: string, setting: CrowdSetting): Promise<Crowd> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-crowd-'));
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, access.ca);
    const secret = Buffer.from(access.hmac).toString('utf8');
    const load = await Load.start({ caFile, token: '', secret, serverName: access.servername });
    const crowd = new Crowd(load, folder);
    try {
      const { clients: count, ...rest } = setting;
      await load.run('crowd', {
        ...rest,
        address,
        count,
        channel: 'chat:crowd-%d',
        concurrency: CONCURRENCY,
        seconds: GATHER_SECONDS,
        file: crowd.#journalFile,
      });
      return crowd;
    } catch (error) {
      await crowd.leave();
      throw error;
    }
  }

  get #journalFile(): string {
    return join(this.#folder, 'journal');
  }

  async look(): Promise<CrowdLook> {
    return (await this.#load.run('crowd-look', {})).result;
  }

  /** Ends the publishing, lets everybody get all, and gives what was seen, with the counts of the end. */
  async stop(): Promise<{ journal: Journal; look: CrowdLook }> {
    const { result } = await this.#load.run('crowd-stop', { seconds: SETTLE_SECONDS });
    return { journal: readJournal(readFileSync(this.#journalFile, 'utf8')), look: result };
  }

  /** Lets the journal stay; gives its folder. */
  keep(): string {
    this.#isKept = true;
    return this.#folder;
  }

  /** Ends it in any case. */
  async leave(): Promise<void> {
    await this.#load.stop();
    if (!this.#isKept) rmSync(this.#folder, { recursive: true, force: true });
  }
}
