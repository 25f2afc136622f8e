/**
 * gRPC to endpoints that are names, through names/. grpc-js has a DNS resolver of its own, which takes no `lookup`: without
 * name servers it fails every call, and asks again no sooner than after 30 s when one address was found before. So endpoints
 * get a scheme of ours (grpc.github.io/grpc/core/md_doc_naming.html), whose resolver asks `Names`. The name stays what TLS
 * and HTTP/2 are told.
 */
import { isIP } from 'node:net';
import { experimental, Metadata, status } from '@grpc/grpc-js';
import type { ChannelOptions } from '@grpc/grpc-js';
import { names as ownNames } from '../names/index.ts';
import type { Names } from '../names/index.ts';

const SCHEME = 'causeway';
/** A channel's option: whom its resolver asks. A function, which is left out where options are printed. */
const NAMES = 'causeway.names';
const DEFAULT_PORT = 443;

/** What gRPC connects to for an endpoint, a URL with a port. Addresses are taken as they are. */
export function grpcTarget(endpoint: string): string {
  const address = endpoint.replace(/^https?:\/\//, '');
  const host = experimental.splitHostPort(address)?.host ?? '';
  return isIP(host) === 0 ? `${SCHEME}:///${address}` : endpoint;
}

/** Options of a channel whose names are asked of `names`. */
export function askedOf(names: Names): ChannelOptions {
  return { [NAMES]: () => names };
}

type Listener = experimental.ResolverListener;

/** One channel's resolver. */
class NamesResolver implements experimental.Resolver {
  readonly #host: string;
  readonly #port: number;
  readonly #listener: Listener;
  readonly #names: Names;
  /** Of the lookup that is under way. */
  #asked: object | undefined;

  constructor(target: experimental.GrpcUri, listener: Listener, options: ChannelOptions) {
    const { host, port } = hostPort(target);
    this.#host = host;
    this.#port = port ?? DEFAULT_PORT;
    this.#listener = listener;
    this.#names = (options[NAMES] as (() => Names) | undefined)?.() ?? ownNames;
  }

  /** What TLS and HTTP/2 call the server. */
  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path;
  }

  /** gRPC waits between failures itself, and an answer is remembered for a moment: nothing to hold back here. */
  updateResolution(): void {
    if (this.#asked) return;
    const asked = {};
    this.#asked = asked;
    const tell = (answer: Parameters<Listener>[0]): void => {
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      this.#listener(answer, {}, null, '');
    };
    this.#names.addresses(this.#host).then(
      (found) =>
        tell(
          experimental.statusOrFromValue(
            found.map(({ address }) => ({ addresses: [{ host: address, port: this.#port }] })),
          ),
        ),
      (error: NodeJS.ErrnoException) =>
        tell(
          experimental.statusOrFromError({
            code: status.UNAVAILABLE,
            details: `no address of ${this.#host} is known: ${error.code ?? error.message}`,
            metadata: new Metadata(),
          }),
        ),
    );
  }

  destroy(): void {
    this.#asked = undefined;
  }
}

function hostPort({ path }: experimental.GrpcUri): experimental.HostPort {
  const found = experimental.splitHostPort(path);
  if (!found) throw new Error(`not a host and a port: ${path}`);
  return found;
}

experimental.registerResolver(SCHEME, NamesResolver);
