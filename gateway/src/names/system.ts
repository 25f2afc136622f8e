import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { questionFor } from './question.ts';

let resolvConf: string | undefined;

/** Read once: the kubelet writes it before a container starts, and leaves it alone. */
function readResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch (error) {
    // The system takes defaults then, and so do we.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/**
 * All addresses of a name, as the system knows them: /etc/hosts and name servers. Rejects with code ENOTFOUND when there is no
 * such name, with another one when nobody can say. It takes a thread of the runtime's pool until name servers answer or are
 * given up (node issue 8436).
 */
export async function askSystem(host: string): Promise<LookupAddress[]> {
  resolvConf ??= readResolvConf();
  const question = questionFor(host, resolvConf);
  try {
    return await lookup(question, { all: true });
  } catch (error) {
    if (question === host || !isDenial(error)) throw error;
    // A name that looks like one of the cluster may be in /etc/hosts, or of another search list.
    return lookup(host, { all: true });
  }
}

/** Whether the error says that there is no such name, rather than that nobody can say. */
export function isDenial(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOTFOUND';
}
