import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectRef, ResourceKind } from '../controller/index.ts';
import type { ReconcileContext } from '../controller/controller.ts';
import { platformReconciler } from './reconcile.ts';
import type { PlatformWorld } from './world.ts';

const REF = { namespace: 'messaging', name: 'chat' };

/** A world in which nothing but the cache and that a home moves may be asked; all else throws. */
function movingWorld(asked: string[]): PlatformWorld {
  const platform = { apiVersion: 'causeway.dev/v1alpha1', kind: 'MessagePlatform', metadata: { ...REF } };
  const cache = {
    get: ({ kind }: ResourceKind) => (kind === 'MessagePlatform' ? platform : undefined),
    hasSeenOurWrites: () => true,
  };
  const isMoving = ({ namespace, name }: ObjectRef): boolean => {
    asked.push(`${namespace}/${name}`);
    return true;
  };
  return { cache, isMoving } as unknown as PlatformWorld;
}

test('a platform whose home is on its way is looked at again in a moment, and nothing of it is written meanwhile', async () => {
  const asked: string[] = [];
  const result = await platformReconciler(movingWorld(asked))(REF, {} as ReconcileContext);
  assert.deepEqual(asked, ['messaging/chat']);
  assert.deepEqual(result, { requeueAfterMs: 250 });
});
