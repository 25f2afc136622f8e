/** Clients of a platform's gateways: the unchanged Centrifuge SDK over TLS that is checked against the platform's authority. */
import { Centrifuge, type Options, type Subscription } from 'centrifuge';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { WEBSOCKET_PATH } from '@causeway/crds';
import type { Kube } from './kube.ts';

/** Where a gateway listens, and under which name. */
export interface GatewayAddress {
  pod: string;
  zone: string;
  host: string;
  port: number;
}

interface Pod {
  metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
  status: { podIP?: string; conditions?: { type: string; status: string }[] };
}

/** A platform, as a client sees it. */
export interface PlatformAccess {
  namespace: string;
  name: string;
  /** PEM of the authority that signed the gateways' certificate. */
  ca: string;
  /** Name that the certificate is checked for. */
  servername: string;
  /** Shared secret of the tokens. */
  hmac: Uint8Array;
}

/** Reads what a client needs: the trust bundle and, since this is a test, the tokens' secret. */
export async function platformAccess(kube: Kube, namespace: string, name: string): Promise<PlatformAccess> {
  const secret = async (secretName: string, key: string): Promise<Buffer> => {
    const { data } = await kube.json<{ data: Record<string, string> }>([
      '-n',
      namespace,
      'get',
      'secret',
      secretName,
    ]);
    return Buffer.from(data[key] ?? '', 'base64');
  };
  const platform = await kube.json<{ spec: { gateway: { auth: { jwt: { secretRef: { name: string } } } } } }>(
    ['-n', namespace, 'get', 'messageplatform', name],
  );
  return {
    namespace,
    name,
    ca: (await secret(`${name}-tls`, 'ca.crt')).toString(),
    servername: `${name}-gateway.${namespace}.svc`,
    hmac: await secret(platform.spec.gateway.auth.jwt.secretRef.name, 'hmac'),
  };
}

/** Ready gateway pods with their addresses, as pods have them. */
export async function gatewayPods(
  kube: Kube,
  access: { namespace: string; name: string },
): Promise<GatewayAddress[]> {
  const selector = `causeway.dev/platform=${access.name},causeway.dev/component=gateway`;
  const { items } = await kube.json<{ items: Pod[] }>([
    '-n',
    access.namespace,
    'get',
    'pods',
    '-l',
    selector,
  ]);
  return items
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .filter(
      (pod) =>
        pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
    )
    .map((pod) => ({
      pod: pod.metadata.name,
      zone: pod.metadata.labels['causeway.dev/zone'] ?? '',
      host: pod.status.podIP ?? '',
      port: 8443,
    }));
}

/** A token for `user`. */
export function tokenFor(
  access: PlatformAccess,
  user: string,
  claims: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setExpirationTime('2h')
    .sign(access.hmac);
}

/** The SDK, connecting to `pick()` at each attempt; TLS 1.3 only, and the certificate is checked. */
export async function sdkClient(
  access: PlatformAccess,
  pick: () => { host: string; port: number },
  options: Partial<Options> & { user?: string } = {},
): Promise<Centrifuge> {
  const { user = 'ann', ...rest } = options;
  class Checked extends WebSocket {
    constructor(_: string, protocols?: string | string[]) {
      const { host, port } = pick();
      const tls = { ca: access.ca, servername: access.servername, minVersion: 'TLSv1.3' } as const;
      super(`wss://${host}:${port}${WEBSOCKET_PATH}`, protocols, { ...tls, handshakeTimeout: 10_000 });
    }
  }
  return new Centrifuge(`wss://${access.servername}${WEBSOCKET_PATH}`, {
    websocket: Checked,
    token: await tokenFor(access, user),
    minReconnectDelay: 100,
    maxReconnectDelay: 2_000,
    ...rest,
  });
}

/** Connects, and waits until the gateway has taken the token. */
export async function connect(client: Centrifuge): Promise<Centrifuge> {
  client.connect();
  await client.ready(30_000);
  return client;
}

/** Subscribes and hands each publication to `take`; resolves when the subscription stands. */
export async function subscribe(
  client: Centrifuge,
  channel: string,
  take: (data: unknown) => void,
): Promise<Subscription> {
  const subscription = client.newSubscription(channel);
  subscription.on('publication', ({ data }) => take(data));
  subscription.subscribe();
  await subscription.ready(30_000);
  return subscription;
}
