/** What the caches keep of objects that are read and never applied. Pure. */
import type { KubeObject } from '../controller/kube-api.ts';
import type { Node, Pod } from './workloads.ts';

/** A pod as {@link Pod} has it: its whole template, which is most of it, is in its Deployment or StatefulSet already. */
export function trimPod(object: KubeObject): Pod {
  const { phase, podIP, conditions, containerStatuses } = (object as Pod).status ?? {};
  return {
    ...identity(object),
    status: {
      ...(phase === undefined ? {} : { phase }),
      ...(podIP === undefined ? {} : { podIP }),
      ...(conditions === undefined ? {} : { conditions }),
      ...(containerStatuses === undefined
        ? {}
        : {
            containerStatuses: containerStatuses.map(({ state }) => (state === undefined ? {} : { state })),
          }),
    },
  };
}

/** A node as {@link Node} has it: without its list of images, for one. */
export function trimNode(object: KubeObject): Node {
  const { spec, status } = object as Node;
  return {
    ...identity(object),
    ...(spec?.unschedulable === undefined ? {} : { spec: { unschedulable: spec.unschedulable } }),
    ...(status?.conditions === undefined ? {} : { status: { conditions: status.conditions } }),
  };
}

function identity({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { managedFields: _fields, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept };
}
