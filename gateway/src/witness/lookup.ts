import { lookup } from 'node:dns/promises';

/**
 * All addresses of a name. Empty: the name server says that there are none. Rejects when nobody can say.
 *
 * This takes a thread of the runtime's pool, in which files are read too, for as long as the name servers are silent
 * (node issue 8436): never begin one before the last has ended.
 */
export async function lookupAddresses(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTFOUND') return [];
    throw error;
  }
}
