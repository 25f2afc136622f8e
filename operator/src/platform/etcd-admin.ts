/**
 * The etcds of one platform as a move of the home needs them: what they are at, the fence that ends a zone's time as home,
 * and the promotion that begins another's. Each may be repeated, after a crash at any point. See docs/adr/0022.
 */
import {
  ETCD_KEY,
  SECRET_KEY,
  type EtcdFence,
  type HomeRecord,
  type ReplicationCheckpoint,
} from '@causeway/crds';
import type { Etcd3, IRequestOp } from 'etcd3';
import type { SecretData } from '../certificates/index.ts';
import { keptEtcd, withEtcd, type ConnectEtcd, type EtcdAccess } from './etcd-connect.ts';
import {
  homeRecord,
  parseRecords,
  refuseEarlierEpoch,
  refuseToEndItself,
  withHome,
  type EtcdRecords,
  type Promotion,
} from './etcd-records.ts';
import { applicationsOf, applicationUser, setApplications, type Applications } from './etcd-roles.ts';
import { etcdEndpoints, managesEtcd } from './etcd.ts';
import type { MessagePlatform } from './types.ts';

/** What a zone's etcd is at. All but the first two are absent when it can't be reached. */
export interface EtcdState {
  reachable: boolean;
  /** Why it can't be reached, or understood. */
  trouble?: string;
  /** Absent where nobody ever wrote one: then the platform is at its first. */
  epoch?: number;
  /** Revision, decimal. */
  revision?: string;
  /** How far the zone holds its home's keys; absent where the zone was home from the beginning. */
  checkpoint?: ReplicationCheckpoint;
  /** Whether this zone's time as home is over, and (in a managed etcd) applications can't write. */
  fenced?: boolean;
  /** What applications may do in a managed etcd. */
  applications?: Applications;
  fence?: EtcdFence;
  /** Revision that wrote the fence, decimal: see {@link Fenced}. */
  fencedAt?: string;
  /** The homes that it knows of, ascending by epoch. */
  homes?: HomeRecord[];
}

/** A zone is fenced. */
export interface Fenced extends EtcdFence {
  /**
   * Revision of its etcd that wrote the fence, decimal: nothing that an application wrote is later. A zone whose
   * checkpoint has come to it has all. Not so where {@link EtcdFence}.applications is Unmanaged.
   */
  revision: string;
}

/** The etcds of one platform. */
export interface EtcdAdmin {
  /** Never throws. */
  state(zone: string): Promise<EtcdState>;
  /**
   * Ends a zone's time as home under `epoch` and all before it: applications' writes are refused (in a managed etcd, by
   * etcd itself, for open connections too, also after a restart), and so are replicators of a lower epoch. Reads go on.
   * Throws EtcdEpochError when the zone is at a later epoch or is the home of this one, and whatever keeps it from being reached.
   */
  fence(zone: string, epoch: number): Promise<Fenced>;
  /**
   * Makes a zone the home of `epoch`: its replicator can't write any more, how far it has come is recorded, and
   * applications may write. With `from` the same as `zone` a home that was fenced is given back, and nothing is asked.
   * Throws EtcdEpochError, PromotionRefusedError, and whatever keeps it from being reached.
   */
  promote(zone: string, epoch: number, from: string, asked?: PromotionAsked): Promise<HomeRecord>;
}

/** What else is asked of a promotion: `atLeast` such as {@link Fenced}.revision. */
export type PromotionAsked = Pick<Promotion, 'atLeast' | 'settled'>;

/**
 * Access to a platform's etcds. `addressOf`: where the managed etcd of a zone is, when that is known: a zone that goes may
 * take the names' servers along.
 */
export type EtcdAdmins = (
  platform: MessagePlatform,
  secret: SecretData | undefined,
  addressOf?: (zone: string) => string | undefined,
) => EtcdAdmin;

/** How to reach the etcds, and whose writes a fence refuses. */
export interface EtcdZones {
  access: (zone: string) => EtcdAccess;
  /** The user (common name) of applications in managed etcds; undefined: somebody else runs these etcds. */
  applications: string | undefined;
}

/** Real etcds. */
export const etcdAdmins: EtcdAdmins = (...of) => etcdAdmin(etcdZones(...of));

/** Real etcds, for looks and acts that follow each other at once. */
export function keptEtcdAdmins(): EtcdAdmins {
  const connect = keptEtcd();
  return (...of) => etcdAdmin(etcdZones(...of), { connect });
}

/** `secret`: `<platform>-internal`, or the user's for an external etcd. */
function etcdZones(...[platform, secret, addressOf = () => undefined]: Parameters<EtcdAdmins>): EtcdZones {
  const pem = (key: string, as: keyof EtcdAccess): Partial<EtcdAccess> =>
    secret?.[key] === undefined ? {} : { [as]: secret[key] };
  return {
    access: (zone) => ({
      ...etcdPlace(platform, zone, addressOf(zone)),
      ...pem(SECRET_KEY.ca, 'ca'),
      ...pem(SECRET_KEY.cert, 'cert'),
      ...pem(SECRET_KEY.key, 'key'),
      ...pem(SECRET_KEY.username, 'username'),
      ...pem(SECRET_KEY.password, 'password'),
    }),
    applications: managesEtcd(platform) ? applicationUser(platform.metadata.name) : undefined,
  };
}

/** Where to connect to, and whose certificate is expected there. */
function etcdPlace(
  platform: MessagePlatform,
  zone: string,
  address: string | undefined,
): Pick<EtcdAccess, 'endpoints' | 'serverName'> {
  const endpoints = etcdEndpoints(platform, zone);
  const [named] = endpoints;
  if (address === undefined || named === undefined || !managesEtcd(platform)) return { endpoints };
  const { hostname, port } = new URL(named);
  const host = address.includes(':') ? `[${address}]` : address;
  return { endpoints: [`https://${host}:${port}`], serverName: hostname };
}

/** Real etcds, wherever they are. `now`: milliseconds since the epoch. */
export function etcdAdmin(
  zones: EtcdZones,
  { now = Date.now, connect = withEtcd }: { now?: () => number; connect?: ConnectEtcd } = {},
): EtcdAdmin {
  return {
    state: (zone) => look(zones, zone, connect),
    fence: (zone, epoch) =>
      oneAtATime(zones.access(zone), connect, (client, access) =>
        fence(client, { zone, epoch, at: rfc3339(now()), refuse: refusal(zones, access) }),
      ),
    promote: (zone, epoch, from, asked) =>
      oneAtATime(zones.access(zone), connect, (client, access) =>
        promote(client, {
          ...asked,
          zone,
          epoch,
          from,
          at: rfc3339(now()),
          refuse: refusal(zones, access),
        }),
      ),
  };
}

/** What is needed to change what applications may do; undefined: that isn't ours. */
type Refusal = Parameters<typeof setApplications>[2] | undefined;

function refusal({ applications }: EtcdZones, { cert }: EtcdAccess): Refusal {
  if (applications === undefined || cert === undefined) return undefined;
  return { user: applications, ownCertificate: cert };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

const busy = new Map<string, Promise<unknown>>();

/** A fence and a promotion of the same etcd must not change what applications may do in turns. */
async function oneAtATime<T>(
  access: EtcdAccess,
  connect: ConnectEtcd,
  work: (client: Etcd3, access: EtcdAccess) => Promise<T>,
): Promise<T> {
  const id = access.endpoints.join();
  const before = busy.get(id);
  const mine = (async () => {
    await before?.catch(() => undefined);
    return connect(access, (client) => work(client, access));
  })();
  busy.set(id, mine);
  try {
    return await mine;
  } finally {
    if (busy.get(id) === mine) busy.delete(id);
  }
}

/** The records, and what guards a change of them. */
interface Seen extends EtcdRecords {
  /** Mod revision of each key, "0" where it isn't there. */
  mod: Record<keyof typeof KEYS, string>;
  /** Revision of the etcd. */
  revision: string;
}

const KEYS = {
  epoch: Buffer.from(ETCD_KEY.epoch),
  checkpoint: Buffer.from(ETCD_KEY.checkpoint),
  fence: Buffer.from(ETCD_KEY.fence),
  homes: Buffer.from(ETCD_KEY.homes),
};
const NAMES = Object.keys(KEYS) as (keyof typeof KEYS)[];

/** All records at one revision. */
async function read(client: Etcd3): Promise<Seen> {
  const { header, responses } = await client.kv.txn({
    compare: [],
    success: NAMES.map((name) => ({ request_range: { key: KEYS[name] } })),
    failure: [],
  });
  const found = NAMES.map((name, index) => [name, responses[index]?.response_range?.kvs[0]] as const);
  const values = Object.fromEntries(found.map(([name, kv]) => [name, kv?.value.toString()]));
  const mod = Object.fromEntries(found.map(([name, kv]) => [name, kv?.mod_revision ?? '0']));
  return {
    ...parseRecords(values as Parameters<typeof parseRecords>[0]),
    mod: mod as Seen['mod'],
    revision: header.revision,
  };
}

/** Writes, unless one of the records named changed since they were read. Returns the revision, or undefined. */
async function write(
  client: Etcd3,
  { mod }: Seen,
  unchanged: readonly (keyof typeof KEYS)[],
  success: IRequestOp[],
): Promise<string | undefined> {
  const { succeeded, header } = await client.kv.txn({
    compare: unchanged.map((name) => ({
      key: KEYS[name],
      result: 'Equal',
      target: 'Mod',
      mod_revision: mod[name],
    })),
    success,
    failure: [],
  });
  return succeeded ? header.revision : undefined;
}

const put = (name: keyof typeof KEYS, value: unknown): IRequestOp => ({
  request_put: { key: KEYS[name], value: Buffer.from(JSON.stringify(value)) },
});

/** Time for each request of a look, milliseconds: others wait for it, and a zone that is cut off never answers. */
const LOOK_TIMEOUT_MS = 2_000;

async function look(zones: EtcdZones, zone: string, connect: ConnectEtcd): Promise<EtcdState> {
  try {
    return await connect(
      zones.access(zone),
      async (client) => {
        const { epoch, checkpoint, fence: held, homes, revision, mod } = await read(client);
        const ended = held !== undefined && held.epoch >= (epoch ?? 0);
        const applications = zones.applications === undefined ? undefined : await applicationsOf(client);
        const refused = applications === undefined || applications === 'MayRead';
        return {
          reachable: true,
          revision,
          fenced: ended && refused,
          homes,
          ...(applications === undefined ? {} : { applications }),
          ...(epoch === undefined ? {} : { epoch }),
          ...(checkpoint === undefined ? {} : { checkpoint }),
          ...(held === undefined ? {} : { fence: held, fencedAt: mod.fence }),
        };
      },
      LOOK_TIMEOUT_MS,
    );
  } catch (error) {
    return { reachable: false, trouble: error instanceof Error ? error.message : String(error) };
  }
}

/** How often a record may change under our hands before something is wrong. */
const TRIES = 10;

class BusyError extends Error {
  override name = 'BusyError';
}

async function fence(
  client: Etcd3,
  { zone, epoch, at, refuse }: { zone: string; epoch: number; at: string; refuse: Refusal },
): Promise<Fenced> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const seen = await read(client);
    refuseEarlierEpoch(zone, epoch, seen);
    refuseToEndItself(zone, epoch, seen);
    if (refuse !== undefined) await setApplications(client, 'MayRead', refuse);
    // Written by a fence whose answer was lost: its revision is what counts, or writes of then would seem later ones.
    if (seen.fence?.epoch === epoch && seen.epoch === epoch)
      return { ...seen.fence, revision: seen.mod.fence };
    const made: EtcdFence = { epoch, applications: refuse === undefined ? 'Unmanaged' : 'Refused', at };
    const revision = await write(client, seen, ['epoch', 'fence'], [put('epoch', epoch), put('fence', made)]);
    if (revision !== undefined) return { ...made, revision };
  }
  throw new BusyError(`the epoch in the etcd of ${zone} changes all the time: who else writes it?`);
}

interface PromotionJob extends Promotion {
  at: string;
  refuse: Refusal;
}

async function promote(client: Etcd3, job: PromotionJob): Promise<HomeRecord> {
  const record = await recordPromotion(client, job);
  if (job.refuse !== undefined) await setApplications(client, 'MayWrite', job.refuse);
  return record;
}

/** The epoch goes first: from then on no replicator writes, and the checkpoint stays what it is. */
async function recordPromotion(client: Etcd3, job: PromotionJob): Promise<HomeRecord> {
  const { zone, epoch } = job;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const seen = await read(client);
    refuseEarlierEpoch(zone, epoch, seen);
    const done = seen.homes.find((home) => home.epoch === epoch && home.zone === zone);
    if (done !== undefined && seen.fence === undefined) return done;
    const record = done ?? homeRecord(job, seen, job.at);
    if (seen.epoch !== epoch) {
      await write(client, seen, ['epoch'], [put('epoch', epoch)]);
      continue;
    }
    const homes = withHome(seen.homes, record);
    const lift = { request_delete_range: { key: KEYS.fence } };
    if (await write(client, seen, ['epoch', 'checkpoint', 'homes', 'fence'], [put('homes', homes), lift]))
      return record;
  }
  throw new BusyError(`the records in the etcd of ${zone} change all the time: who else writes them?`);
}
