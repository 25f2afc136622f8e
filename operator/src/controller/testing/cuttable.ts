/** A Kubernetes API whose way can be cut. */
import type { KubeApi } from '../kube-api.ts';

async function hang(): Promise<never> {
  return new Promise(() => undefined);
}

/** Behind it, calls of a single object hang while `isCut`, as they do when packets are dropped. */
export function cuttable(api: KubeApi, isCut: () => boolean): KubeApi {
  return {
    list: (kind, options) => api.list(kind, options),
    watch: (kind, options, signal) => api.watch(kind, options, signal),
    get: (kind, ref) => (isCut() ? hang() : api.get(kind, ref)),
    create: (kind, object) => (isCut() ? hang() : api.create(kind, object)),
    update: (kind, object) => (isCut() ? hang() : api.update(kind, object)),
    apply: (kind, object) => api.apply(kind, object),
    mergePatch: (kind, ref, patch) => api.mergePatch(kind, ref, patch),
    delete: (kind, ref, options) => api.delete(kind, ref, options),
  };
}
