import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KubeError, type KubeObject } from '../controller/index.ts';
import type { MessagePlatform } from '../platform/index.ts';
import { ordersPlatform } from '../platform/testing/orders.ts';
import { threeWayMerge, tryApply, type Trial } from './plan-apply.ts';
import type { PlatformFile } from './plan-files.ts';

const NO_NAMESPACES = new Set<string>();

function fileOf(platform: MessagePlatform): PlatformFile {
  const { apiVersion, kind, spec } = platform;
  return { apiVersion, kind, metadata: { name: 'orders', namespace: 'messaging' }, spec };
}

/** Records what is tried, and answers with what was sent. */
function trial(
  live: MessagePlatform | undefined,
  refuse: (verb: string, object: KubeObject) => Error | undefined = () => undefined,
): Trial & { tried: { verb: string; manager: string | undefined; object: KubeObject }[] } {
  const tried: { verb: string; manager: string | undefined; object: KubeObject }[] = [];
  return {
    tried,
    api: { get: async <T extends KubeObject>() => structuredClone(live) as T | undefined },
    dryRun: (manager) => {
      const attempt =
        (verb: string) =>
        async <T extends KubeObject>(_kind: unknown, object: T): Promise<T> => {
          tried.push({ verb, manager, object });
          const error = refuse(verb, object);
          if (error !== undefined) throw error;
          return object;
        };
      return { create: attempt('create'), update: attempt('update'), apply: attempt('apply') };
    },
  };
}

describe('a three-way merge', () => {
  it('takes what the file says, takes away what only the last file said, and leaves the rest', () => {
    const live = { a: 1, gone: 2, byOthers: 3, deep: { x: 1, gone: 1, kept: 1 }, list: [1, 2, 3] };
    const last = { a: 0, gone: 2, deep: { x: 0, gone: 1 }, list: [1, 2, 3] };
    const file = { a: 5, deep: { x: 2 }, list: [1], added: true };
    assert.deepEqual(threeWayMerge(live, file, last), {
      a: 5,
      byOthers: 3,
      deep: { x: 2, kept: 1 },
      list: [1],
      added: true,
    });
  });
});

describe('trying an apply', () => {
  it('tries a server-side apply as the manager that keeps the spec', async () => {
    const live = ordersPlatform();
    (live as KubeObject).metadata.managedFields = [
      { manager: 'causeway', operation: 'Apply', subresource: 'status', fieldsV1: { 'f:status': {} } },
      { manager: 'kubectl-edit', operation: 'Update', fieldsV1: { 'f:spec': {} } },
      { manager: 'argocd-controller', operation: 'Apply', fieldsV1: { 'f:spec': {} } },
    ];
    const world = trial(live);
    await tryApply(world, fileOf(live), NO_NAMESPACES);
    assert.deepEqual(
      world.tried.map(({ verb, manager }) => `${verb} as ${manager}`),
      ['apply as argocd-controller'],
    );
  });

  it('tries an update by what kubectl apply said last, and keeps what others set', async () => {
    const live = ordersPlatform((platform) => {
      platform.spec.gateway.allowedOrigins = ['https://a.example'];
      platform.spec.tls.dnsNames = ['set-by-others.example'];
    });
    live.metadata.annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
        spec: { gateway: { allowedOrigins: ['https://a.example'] } },
      }),
    };
    const file = fileOf(ordersPlatform());
    const { after } = await tryApply(trial(live), file, NO_NAMESPACES);
    assert.equal(after.spec.gateway.allowedOrigins, undefined);
    assert.deepEqual(after.spec.tls.dnsNames, ['set-by-others.example']);
    assert.equal(after.metadata.resourceVersion, '1');
  });

  it('tries again when the platform changed between the look and the try', async () => {
    let conflicts = 2;
    const world = trial(ordersPlatform(), () => {
      conflicts -= 1;
      return conflicts >= 0 ? new KubeError('it changed', { code: 409, reason: 'Conflict' }) : undefined;
    });
    await tryApply(world, fileOf(ordersPlatform()), NO_NAMESPACES);
    assert.equal(world.tried.length, 3);
  });

  const noNamespace = (_verb: string, object: KubeObject): Error | undefined =>
    object.metadata.namespace === 'messaging'
      ? new KubeError('namespaces "messaging" not found', { code: 404, reason: 'NotFound' })
      : undefined;

  it('checks a platform elsewhere when the file brings its namespace', async () => {
    const tried = await tryApply(
      trial(undefined, noNamespace),
      fileOf(ordersPlatform()),
      new Set(['messaging']),
    );
    assert.equal(tried.newNamespace, true);
    assert.equal(tried.after.metadata.namespace, 'messaging');
  });

  it('says what to do when nobody brings the namespace', async () => {
    await assert.rejects(tryApply(trial(undefined, noNamespace), fileOf(ordersPlatform()), NO_NAMESPACES), {
      message:
        'namespace messaging does not exist. Create it (kubectl create namespace messaging), or add it to the file.',
    });
  });
});
