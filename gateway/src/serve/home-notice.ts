/** Which zone is home, as a gateway is told while it runs: by its configuration, and sooner by an annotation of its pod. */
import { readFile } from 'node:fs/promises';
import { ANNOTATION } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import { loadGatewayConfig } from '../config/index.ts';
import type { Log } from '../log/index.ts';
import { reason } from '../log/index.ts';
import { parseAnnotations } from '../transport/index.ts';
import { Problems } from './problems.ts';

type EtcdConfig = NonNullable<GatewayConfig['etcd']>;

/** The home, and since which epoch. */
export type Home = Pick<EtcdConfig, 'homeZone' | 'epoch'>;

/** What {@link ANNOTATION}.home says; undefined: nothing that it may say. `zones`: those of the platform. */
export function parseHome(text: string, zones: readonly string[]): Home | undefined {
  const [, homeZone = '', digits = ''] = /^([^/]+)\/([1-9]\d{0,14})$/.exec(text) ?? [];
  return zones.includes(homeZone) ? { homeZone, epoch: Number(digits) } : undefined;
}

/** What counts of the two. The annotation comes first when the home moves, and may be absent or stay behind. */
export function laterHome(configured: Home, told: Home | undefined): Home {
  return told !== undefined && told.epoch > configured.epoch ? told : configured;
}

/** Where it reads, and what it begins with. */
export interface HomeNoticeParts {
  configFile: string;
  annotationsFile: string;
  /** As it was at the start. */
  etcd: EtcdConfig;
  log: Log;
}

/** Reads both, as often as it is asked. All else in the configuration is read only at the start. */
export class HomeNotice {
  readonly #parts: HomeNoticeParts;
  readonly #problems: Problems;
  #configured: EtcdConfig;
  #told: Home | undefined;
  #home: Home;

  constructor(parts: HomeNoticeParts) {
    this.#parts = parts;
    this.#problems = new Problems(parts.log);
    this.#configured = parts.etcd;
    this.#home = parts.etcd;
  }

  /** The home of now. What cannot be read, and nonsense in the annotation, is logged once; what was read before stays then. */
  async read(): Promise<Home> {
    const { configFile, annotationsFile, log } = this.#parts;
    await this.#attempt('configuration', async () => {
      const { etcd } = await loadGatewayConfig(configFile);
      this.#configured = etcd ?? this.#configured;
    });
    await this.#attempt('home', async () => {
      this.#hear(parseAnnotations(await readFile(annotationsFile, 'utf8')).get(ANNOTATION.home));
    });
    const { homeZone, epoch } = laterHome(this.#configured, this.#told);
    const isNew = homeZone !== this.#home.homeZone || epoch !== this.#home.epoch;
    if (isNew) log.info('told of another home', { homeZone, epoch });
    this.#home = { homeZone, epoch };
    return this.#home;
  }

  /** Throws for nonsense. */
  #hear(text: string | undefined): void {
    const told = text === undefined ? undefined : parseHome(text, zonesOf(this.#configured));
    if (text !== undefined && told === undefined)
      throw new RangeError(
        `annotation ${ANNOTATION.home} must be <zone>/<epoch>, with a zone of the platform; it is ${JSON.stringify(text.slice(0, 100))} and is ignored`,
      );
    this.#told = told;
  }

  async #attempt(what: string, read: () => Promise<void>): Promise<void> {
    let problem = '';
    try {
      await read();
    } catch (error) {
      problem = reason(error);
    }
    this.#problems.note(what, problem);
  }
}

function zonesOf({ zones }: EtcdConfig): string[] {
  return zones.map(({ zone }) => zone);
}
