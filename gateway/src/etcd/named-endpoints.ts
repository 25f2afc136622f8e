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
/**
 * Between two answers to a channel, milliseconds. gRPC asks for other addresses in the same turn in which it is told of ones
 * that it has just failed to reach. An answer from memory came in that turn as well, and so on: a process whose etcd
 * refused connections did nothing else for as long as answers are fresh, a second at a time.
 */
const PAUSE_MS = 100;

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
  /** Of the lookup that is under way, or about to begin. */
  #asked: object | undefined;
  #answeredAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

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

  updateResolution(): void {
    if (this.#asked) return;
    const asked = {};
    this.#asked = asked;
    const wait = this.#answeredAt + PAUSE_MS - performance.now();
    if (wait <= 0) this.#ask(asked);
    else this.#timer = setTimeout(() => this.#ask(asked), wait).unref();
  }

  #ask(asked: object): void {
    const tell = (answer: Parameters<Listener>[0]): void => {
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      this.#answeredAt = performance.now();
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
    clearTimeout(this.#timer);
    this.#asked = undefined;
  }
}

function hostPort({ path }: experimental.GrpcUri): experimental.HostPort {
  const found = experimental.splitHostPort(path);
  if (!found) throw new Error(`not a host and a port: ${path}`);
  return found;
}

experimental.registerResolver(SCHEME, NamesResolver);
