/** How a name of the cluster is asked for. Pure. */

/**
 * The name as the system is asked for it. A name like `redis.shop.svc` has fewer dots than a pod's `ndots` (5), so it is tried
 * with each domain of the search list: three questions, of which the third is answered, and the first one that a dead name
 * server gets ends the lookup. With half of them dead one lookup of eight succeeds. In full, with a dot at its end, it is one
 * question, and every other succeeds. Names outside the cluster are asked for as they are.
 *
 * `resolvConf`: the text of /etc/resolv.conf; resolv.conf(5).
 */
export function questionFor(host: string, resolvConf: string): string {
  const domain = clusterDomain(resolvConf);
  if (domain === undefined) return host;
  if (host.endsWith('.svc')) return `${host}.${domain}.`;
  return host.endsWith(`.svc.${domain}`) ? `${host}.` : host;
}

/** The kubelet lists `<namespace>.svc.<domain>`, `svc.<domain>` and `<domain>`; of several lists the last one counts. */
function clusterDomain(resolvConf: string): string | undefined {
  const lists = resolvConf.split('\n').flatMap((line) => {
    const [word, ...domains] = line.trim().split(/\s+/);
    return word === 'search' ? [domains] : [];
  });
  const services = lists.at(-1)?.find((domain) => domain.startsWith('svc.'));
  return services?.slice('svc.'.length).replace(/\.$/, '');
}
