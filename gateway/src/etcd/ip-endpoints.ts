/**
 * TLS to endpoints that are IP addresses. grpc-js sends the host as the TLS server name, and Node 26 refuses a server
 * name that is an address (RFC 6066, section 3; grpc-node issue 1919), so that no connection is ever made. Here such a
 * host gets a placeholder as its server name, and the certificate is checked against the address itself.
 */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { credentials as grpcCredentials } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Etcd3 } from 'etcd3';
import type { Credentials } from './credentials.ts';

/** Sent instead of the address. Never resolved and never verified. */
const PLACEHOLDER = 'etcd.invalid';

/** What etcd3 keeps to itself, of one endpoint. */
interface EtcdHost {
  /** host:port */
  host: string;
  channelCredentials: ChannelCredentials;
  channelOptions?: ChannelOptions;
}

/** Prepares a client that has not been used yet. Does nothing for endpoints that are names. */
export function allowIpEndpoints(client: Etcd3, { ca, cert, key }: Credentials): void {
  const { pool } = client as unknown as { pool?: { hosts?: EtcdHost[] } };
  if (!pool?.hosts) throw new Error('etcd3 keeps its hosts elsewhere than 1.1.2 does: adapt ip-endpoints.ts');
  for (const host of pool.hosts) {
    const address = host.host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) === 0) continue;
    host.channelOptions = { ...host.channelOptions, 'grpc.ssl_target_name_override': PLACEHOLDER };
    host.channelCredentials = grpcCredentials.createSsl(ca ?? null, key ?? null, cert ?? null, {
      checkServerIdentity: (_placeholder, certificate) => checkServerIdentity(address, certificate),
    });
  }
}
