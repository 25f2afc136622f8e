/** Keeps any {@link KubeApi} from writing when this process may not act: for the simulator, and as a second lock. */
import type { Clock } from './clock.ts';
import type { KubeApi } from './kube-api.ts';

/** This process may not act (any more): it is not the leader. */
export class FencedError extends Error {
  override name = 'FencedError';
  readonly code = 'FENCED';
}

/**
 * `api`, whose writes are refused with {@link FencedError} once `fence()` (wall time in ms) has passed. It can't
 * call back a write that is under way: `HttpKubeApi.fencedBy` can.
 */
export function fenced(api: KubeApi, fence: () => number, clock: Clock): KubeApi {
  const guard = (what: string): void => {
    if (clock.now() >= fence()) throw new FencedError(`${what}: refused, this process is not the leader`);
  };
  return {
    list: (kind, options) => api.list(kind, options),
    watch: (kind, options, signal) => api.watch(kind, options, signal),
    get: (kind, ref) => api.get(kind, ref),
    create: async (kind, object) => {
      guard(`create ${kind.kind} ${object.metadata.name}`);
      return api.create(kind, object);
    },
    update: async (kind, object) => {
      guard(`update ${kind.kind} ${object.metadata.name}`);
      return api.update(kind, object);
    },
    apply: async (kind, object, options) => {
      guard(`apply ${kind.kind} ${object.metadata.name}`);
      return api.apply(kind, object, options);
    },
    mergePatch: async (kind, ref, patch) => {
      guard(`patch ${kind.kind} ${ref.name}`);
      return api.mergePatch(kind, ref, patch);
    },
    delete: async (kind, ref, options) => {
      guard(`delete ${kind.kind} ${ref.name}`);
      return api.delete(kind, ref, options);
    },
  };
}
