/** How the clients, who are on the host, enter the lab: and on whose gateway each of them is. */
import { inNetns, nodes, type LabNode } from '../../lab/index.ts';
import { run } from '../../tools/index.ts';

/**
 * A way from the host to a Service through one node, for as long as it is open. The lab's own way goes through its first
 * node, and clients would lose all connections with that node, on whichever gateway they are: a load balancer before a
 * real cluster would not stand in a zone that is about to go.
 */
export class Entry {
  readonly #address: string;
  readonly #node: LabNode;

  private constructor(address: string, node: LabNode) {
    this.#address = address;
    this.#node = node;
  }

  /** Opens a way to the address through a node in another zone than `avoided`. `close` must be called. */
  static async open(address: string, avoided: string): Promise<Entry> {
    const node = nodes.find(({ zone }) => zone !== avoided);
    if (node === undefined) throw new Error(`there is no zone besides ${avoided}`);
    await run('ip', ['route', 'replace', `${address}/32`, 'via', node.ip]);
    return new Entry(address, node);
  }

  async close(): Promise<void> {
    await run('ip', ['route', 'del', `${this.#address}/32`, 'via', this.#node.ip]);
  }

  /** The zone of the gateway that each connection leads to, by the port that it comes from. */
  async zonesByPort(): Promise<Map<number, string>> {
    const list = ['conntrack', '-L', '-p', 'tcp', '--orig-dst', this.#address];
    const { stdout } = await run('nsenter', inNetns(this.#node, ...list), { timeoutMs: 20_000 });
    return zonesOf(stdout);
  }
}

/** Reads what `conntrack -L` prints: first the way there, with the port of the client, then the way back, from the pod. */
export function zonesOf(text: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of text.split('\n')) {
    if (!line.includes(' ESTABLISHED ')) continue;
    const port = /\ssport=(\d+)/.exec(line)?.[1];
    const pod = [...line.matchAll(/\ssrc=(\S+)/g)][1]?.[1];
    const zone = nodes.find(({ podCidr }) => pod?.startsWith(podCidr.replace(/0\/24$/, '')))?.zone;
    if (port !== undefined && zone !== undefined) found.set(Number(port), zone);
  }
  return found;
}
