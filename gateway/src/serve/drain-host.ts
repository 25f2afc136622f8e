import { DISCONNECT } from '../protocol/index.ts';
import { SyncFailure } from '../sync/index.ts';
import type { SyncService, SyncStream } from '../sync/index.ts';
import type { ClientServer, ClientSession } from '../transport/index.ts';
import type { DrainHost } from './drain.ts';

/** A session, or a stream of `/sync`. */
export type Client = ClientSession | SyncStream;

/** Where the clients are. */
export interface Clients {
  /** Undefined while there is no certificate to listen with. */
  server: () => ClientServer | undefined;
  /** Undefined where there is no `/sync`. */
  sync: () => SyncService | undefined;
  /** One was asked to go elsewhere. */
  sent: (kind: 'client' | 'sync') => void;
}

const SHUTDOWN = 'go to another gateway: connect again, with the same position';

/** The clients of a gateway, to be sent away. Sessions get code 3001, upon which SDKs connect again; streams their word for it. */
export function drainHost({ server, sync, sent }: Clients): DrainHost<Client> {
  return {
    get connections() {
      return (server()?.sessions.size ?? 0) + (sync()?.streams.size ?? 0);
    },
    get reachable() {
      return server() !== undefined;
    },
    clients: () => [...(server()?.sessions.keys() ?? []), ...(sync()?.streams ?? [])],
    sendAway(client) {
      if ('stop' in client) {
        if (sync()?.streams.has(client) !== true) return false;
        client.stop(new SyncFailure('shutdown', SHUTDOWN));
        sent('sync');
        return true;
      }
      if (server()?.sessions.has(client) !== true) return false;
      client.close(DISCONNECT.shutdown);
      sent('client');
      return true;
    },
    close(last) {
      if (last) server()?.stopAccepting();
      else server()?.goAway();
    },
  };
}
