import { askSystem, isDenial } from '../names/index.ts';

/**
 * All addresses of a name. Empty: the name server says that there are none. Rejects when nobody can say: here an old answer is
 * worth nothing, it is kept elsewhere with what else is known of it.
 *
 * This takes a thread of the runtime's pool, in which files are read too, for as long as the name servers are silent
 * (node issue 8436): never begin one before the last has ended.
 */
export async function lookupAddresses(host: string): Promise<string[]> {
  try {
    return (await askSystem(host)).map(({ address }) => address);
  } catch (error) {
    if (isDenial(error)) return [];
    throw error;
  }
}
