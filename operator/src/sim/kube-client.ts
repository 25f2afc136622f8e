/** The Kubernetes API as one process sees it, over a network that may fail. */
import { EVENT_KIND } from '../controller/events.ts';
import { fenced } from '../controller/fence.ts';
import { kindKey } from '../controller/keys.ts';
import {
  isNotFound,
  type ApplyTarget,
  type KubeApi,
  type KubeList,
  type KubeObject,
  type ListOptions,
  type ObjectRef,
  type ResourceKind,
  type WatchEvent,
} from '../controller/kube-api.ts';
import { LEASE_KIND } from '../controller/lease.ts';
import { selects, type Change, type FakeKube } from './fake-kube.ts';
import { copy, type Json } from './json.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import type { VirtualTime } from './virtual-time.ts';
import { WatchPipe } from './watch-pipe.ts';

/** How watches behave. */
export interface WatchFaults {
  /** Until an event arrives, milliseconds. */
  delayMs(): number;
}

export interface ClientParts {
  kube: FakeKube;
  network: Network;
  time: VirtualTime;
  process: SimProcess;
  watches: WatchFaults;
  /** Takes note of each watch, so that it can be broken. */
  opened(pipe: WatchPipe): void;
  /** Takes note of what is about to be deleted. */
  deleting(target: KubeObject | undefined): void;
}

/** Time between two bookmarks of a watch, milliseconds. */
const BOOKMARK_MS = 60_000;
const MANAGER = 'causeway';

const WRITER = { manager: MANAGER };

/** A KubeApi that can also be fenced, as the real one. */
export type SimKubeApi = KubeApi & { fencedBy(fence: () => number): KubeApi };

/** Request bodies are copied when the call is made, as they are when they are sent. */
export function kubeClient(parts: ClientParts): SimKubeApi {
  const { kube } = parts;
  const call = <T>(verb: string, [kind, name]: [ResourceKind, string], effect: () => T): Promise<T> =>
    parts.network.call(
      {
        process: parts.process,
        target: 'kube',
        verb,
        what: `${kind.kind} ${name}`,
        mutates: verb !== 'get' && verb !== 'list' && kind.kind !== LEASE_KIND.kind,
        tells: kind.kind === EVENT_KIND.kind,
      },
      effect,
    );
  const client: KubeApi = {
    list: <T extends KubeObject>(kind: ResourceKind, options: ListOptions = {}) =>
      call('list', [kind, ''], () => kube.list(kind, options) as KubeList<T>),
    watch: <T extends KubeObject>(
      kind: ResourceKind,
      options: ListOptions & { resourceVersion: string },
      signal: AbortSignal,
    ) => openWatch(parts, kind, options, signal) as AsyncIterable<WatchEvent<T>>,
    get: <T extends KubeObject>(kind: ResourceKind, ref: ObjectRef) =>
      call('get', [kind, ref.name], () => kube.get(kind, ref) as T | undefined),
    create: <T extends KubeObject>(kind: ResourceKind, object: T) => {
      const body = copy(object);
      return call('create', [kind, object.metadata.name], () => kube.create(kind, body, WRITER) as T);
    },
    update: <T extends KubeObject>(kind: ResourceKind, object: T) => {
      const body = copy(object);
      return call('update', [kind, object.metadata.name], () => kube.update(kind, body, WRITER) as T);
    },
    apply: <T extends KubeObject>(kind: ResourceKind, object: T, options: ApplyTarget = {}) => {
      const body = copy(object);
      const verb = options.subresource === undefined ? 'apply' : 'apply status of';
      const writer = { manager: MANAGER, ...options };
      return call(verb, [kind, object.metadata.name], () => kube.apply(kind, body, writer) as T);
    },
    mergePatch: <T extends KubeObject>(kind: ResourceKind, ref: ObjectRef, patch: object) => {
      const body = copy(patch) as Json;
      return call('patch', [kind, ref.name], () => kube.patch(kind, ref, body, WRITER) as T);
    },
    delete: (kind, ref, options) =>
      call('delete', [kind, ref.name], () => {
        parts.deleting(kube.get(kind, ref));
        try {
          kube.delete(kind, ref, options);
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }),
  };
  return { ...client, fencedBy: (fence) => fenced(client, fence, parts.process.clock) };
}

function openWatch(
  parts: ClientParts,
  kind: ResourceKind,
  options: ListOptions & { resourceVersion: string },
  signal: AbortSignal,
): WatchPipe {
  const { kube, network, time, process, watches } = parts;
  const pipe = new WatchPipe(time, process);
  signal.addEventListener('abort', () => pipe.close(), { once: true });
  const request = { process, target: 'kube', verb: 'watch', what: kind.kind, mutates: false } as const;
  network
    .call(request, () => {
      const missed = kube.changesSince(kind, options.resourceVersion);
      const send = (change: Change): void => {
        const event = kindKey(change.kind) === kindKey(kind) ? eventOf(change, options) : undefined;
        if (event !== undefined) pipe.send(event, watches.delayMs());
      };
      for (const change of missed) send(change);
      const stop = kube.onChange((change) => (pipe.isOpen ? send(change) : stop()));
      bookmark();
      parts.opened(pipe);
    })
    .catch((error: Error) => pipe.fail(error));

  function bookmark(): void {
    time.after(BOOKMARK_MS, () => {
      if (!pipe.isOpen) return;
      pipe.send({ type: 'BOOKMARK', resourceVersion: kube.version }, watches.delayMs());
      bookmark();
    });
  }
  return pipe;
}

/** What a change is to a watch with that selector; undefined: nothing. */
function eventOf({ before, after, last }: Change, options: ListOptions): WatchEvent<KubeObject> | undefined {
  const was = before !== undefined && selects(options, before);
  const is = after !== undefined && selects(options, after);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: after };
  return was ? { type: 'DELETED', object: last } : undefined;
}
