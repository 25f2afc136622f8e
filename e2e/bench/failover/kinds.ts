/** What is done to the platform: a table. */
import type { ZoneFailoverSpec } from '@causeway/crds';
import { cut, heal, kafkaBrokers, kill, revive, zones } from '../../lab/index.ts';
import { waitFor } from '../../tools/index.ts';
import type { NameServers } from './name-servers.ts';

/** `spec.gateway.heartbeat`. */
export interface Heartbeat {
  interval: string;
  timeout: string;
}

/** One kind of failover. */
export interface Kind {
  mode: ZoneFailoverSpec['mode'];
  heartbeat: Heartbeat;
  /** What happens to the zone; without it somebody asks for the failover. */
  fault?: Fault;
  /** Of the cluster. */
  nameServers: NameServers;
  /** Instead of as many as are asked for. */
  runs?: number;
}

/** What befalls a zone, and its end. */
export interface Fault {
  begin: (zone: string) => Promise<void>;
  end: (zone: string) => Promise<void>;
}

/** As the issue has it. */
const BRISK: Heartbeat = { interval: '5s', timeout: '3s' };
/** As the CRD has it. */
const DEFAULTS: Heartbeat = { interval: '25s', timeout: '10s' };

const CUT: Fault = { begin: cut, end: heal };
const KILLED: Fault = {
  begin: kill,
  async end(zone) {
    await revive(zone);
    await waitFor('all brokers', async () => (await kafkaBrokers()).length === zones.length, {
      timeoutMs: 120_000,
      intervalMs: 1_000,
    });
  },
};

/** The kinds, in the order in which they are run. */
export const KINDS = {
  drill: { mode: 'Drill', heartbeat: BRISK, nameServers: 'zones' },
  planned: { mode: 'Planned', heartbeat: BRISK, nameServers: 'zones' },
  cut: { mode: 'Emergency', heartbeat: BRISK, nameServers: 'zones', fault: CUT },
  killed: { mode: 'Emergency', heartbeat: BRISK, nameServers: 'zones', fault: KILLED },
  'cut-two-servers': { mode: 'Emergency', heartbeat: BRISK, nameServers: 'two', fault: CUT },
  'killed-two-servers': { mode: 'Emergency', heartbeat: BRISK, nameServers: 'two', fault: KILLED },
  'cut-defaults': { mode: 'Emergency', heartbeat: DEFAULTS, nameServers: 'zones', fault: CUT, runs: 1 },
  'killed-defaults': { mode: 'Emergency', heartbeat: DEFAULTS, nameServers: 'zones', fault: KILLED, runs: 1 },
} as const satisfies Record<string, Kind>;

/** Name of a kind. */
export type KindName = keyof typeof KINDS;

/** All names. */
export const kindNames = Object.keys(KINDS) as KindName[];
