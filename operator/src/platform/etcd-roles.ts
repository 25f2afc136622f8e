/**
 * Who may write to a managed etcd, by etcd's own users and roles. Clients are known by the common name of their
 * certificate: the platform's own parts are root, and applications have one role, from which a fence takes the right to
 * write. etcd checks rights again when it carries a write out, so none that was under way comes after the change. See
 * docs/adr/0022.
 */
import { X509Certificate } from 'node:crypto';
import { ETCD_PREFIX } from '@causeway/crds';
import type { Etcd3 } from 'etcd3';

/** Users are not asked for while etcd is as it was made: everybody may do everything. */
export type Applications = 'MayWrite' | 'MayRead' | 'NotAsked';

/** Common name of the client certificate in the Secret `<platform>-client`. */
export function applicationUser(platform: string): string {
  return `${platform} client`;
}

const ROOT = 'root';
const ROLE = 'applications';

type Range = { key: Buffer; range_end: Buffer };
/** First key, and no end (rpc.proto, RangeRequest). */
const EDGE = Buffer.from([0]);
const EVERYTHING: Range = { key: EDGE, range_end: EDGE };
/** All but Causeway's own keys: what they say of epochs and homes isn't for applications to change. */
const WRITABLE: readonly Range[] = [
  { key: EDGE, range_end: Buffer.from(ETCD_PREFIX) },
  { key: afterPrefix(ETCD_PREFIX), range_end: EDGE },
];

function afterPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

/** What applications may do now; MayWrite also when it is only a part. */
export async function applicationsOf(client: Etcd3): Promise<Applications> {
  const { enabled } = await client.auth.authStatus();
  if (!enabled) return 'NotAsked';
  const { perm } = await client.auth.roleGet({ role: ROLE });
  return perm.some(({ permType }) => (permType as unknown as string) !== 'Read') ? 'MayWrite' : 'MayRead';
}

/**
 * Lets applications write, or only read. From the answer on it is so, for connections that are open too. May be repeated
 * after a crash at any point. `ownCertificate` (PEM): our own, whose user must be root before users are asked for.
 */
export async function setApplications(
  client: Etcd3,
  may: Exclude<Applications, 'NotAsked'>,
  { user, ownCertificate }: { user: string; ownCertificate: string },
): Promise<void> {
  const { enabled } = await client.auth.authStatus();
  if (may === 'MayWrite') {
    // While users are not asked for, everybody may.
    if (enabled) await grant(client, WRITABLE, 'Readwrite');
    return;
  }
  if (enabled) return revoke(client, WRITABLE);
  // Users that nobody has a certificate for harm nothing, so each of these may be the last that is done.
  await addOwnUser(client, commonName(ownCertificate));
  await addRole(client, ROLE);
  await revoke(client, WRITABLE);
  await grant(client, [EVERYTHING], 'Read');
  await addUser(client, user, ROLE);
  await client.auth.authEnable();
}

async function grant(client: Etcd3, ranges: readonly Range[], permType: 'Read' | 'Readwrite'): Promise<void> {
  for (const range of ranges)
    await client.auth.roleGrantPermission({ name: ROLE, perm: { permType, ...range } });
}

async function revoke(client: Etcd3, ranges: readonly Range[]): Promise<void> {
  for (const range of ranges)
    await unless('permission is not granted to the role', () =>
      client.auth.roleRevokePermission({ role: ROLE, ...range }),
    );
}

/** etcd asks for a user `root`; nobody has its certificate, and it has no password. */
async function addOwnUser(client: Etcd3, own: string): Promise<void> {
  await addRole(client, ROOT);
  await addUser(client, ROOT, ROOT);
  await addUser(client, own, ROOT);
}

async function addRole(client: Etcd3, name: string): Promise<void> {
  await unless('role name already exists', () => client.auth.roleAdd({ name }));
}

async function addUser(client: Etcd3, user: string, role: string): Promise<void> {
  await unless('user name already exists', () =>
    client.auth.userAdd({ name: user, options: { no_password: true } }),
  );
  // Granting a role that the user has changes nothing.
  await client.auth.userGrantRole({ user, role });
}

/** etcd's errors are told by their text: etcd3 drops the gRPC code. */
async function unless(text: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(text)) throw error;
  }
}

function commonName(pem: string): string {
  const line = new X509Certificate(pem).subject.split('\n').find((part) => part.startsWith('CN='));
  if (line === undefined) throw new Error('our own certificate has no common name: etcd would lock us out');
  return line.slice('CN='.length);
}
