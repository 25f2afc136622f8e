import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KubeError, type KubeList, type KubeObject } from '../controller/index.ts';
import { desiredObjects } from '../platform/index.ts';
import { IMAGES, ordersPlatform } from '../platform/testing/orders.ts';
import { chooseImages, operatorImages } from './plan-images.ts';

const DEFAULTS = { gatewayBun: 'd-bun', gatewayNode: 'd-node', redis: 'd-redis', etcd: 'd-etcd' };
const given = { asked: {}, defaults: DEFAULTS, operator: undefined };

function operator(env: { name: string; value?: string }[]): KubeObject {
  const spec = { template: { spec: { containers: [{ name: 'operator', env }] } } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'causeway' }, spec } as KubeObject;
}

function listing(items: KubeObject[] | Error): Parameters<typeof operatorImages>[0] {
  return {
    list: async <T extends KubeObject>(): Promise<KubeList<T>> => {
      if (items instanceof Error) throw items;
      return { resourceVersion: '1', items: items as T[] };
    },
  };
}

describe('the images of a plan', () => {
  it('are those that the operator’s Deployment names', async () => {
    const env = [
      { name: 'RELATED_IMAGE_GATEWAY_BUN', value: 'r/bun' },
      { name: 'RELATED_IMAGE_REDIS', value: 'r/redis' },
      { name: 'IMAGE_PULL_SECRETS', value: 'a,b' },
    ];
    assert.deepEqual(await operatorImages(listing([operator(env)])), {
      gatewayBun: 'r/bun',
      redis: 'r/redis',
      pullSecrets: ['a', 'b'],
    });
  });

  it('are not known when there is no operator, or when it may not be looked at', async () => {
    assert.equal(await operatorImages(listing([])), undefined);
    const forbidden = new KubeError('no', { code: 403, reason: 'Forbidden' });
    assert.equal(await operatorImages(listing(forbidden)), undefined);
    const broken = new KubeError('broken', { code: 500, reason: 'InternalError' });
    await assert.rejects(operatorImages(listing(broken)), broken);
  });

  it('are then those that the platform’s workloads run: a plan shows no change that never comes', () => {
    const platform = ordersPlatform();
    const { images, note } = chooseImages(given, platform, desiredObjects(platform, IMAGES));
    assert.deepEqual(images, IMAGES);
    assert.equal(note, undefined);
  });

  it('are the defaults for a new platform, and the plan says so', () => {
    const { images, note } = chooseImages(given, undefined, []);
    assert.deepEqual(images, DEFAULTS);
    assert.match(note ?? '', /^The operator’s Deployment was not found/);
  });

  it('are what was asked for, above all', () => {
    const operatorSays = { ...DEFAULTS, redis: 'r/redis', etcd: 'r/etcd' };
    const { images } = chooseImages(
      { ...given, asked: { redis: 'mine' }, operator: operatorSays },
      undefined,
      [],
    );
    assert.deepEqual(images, { ...DEFAULTS, redis: 'mine', etcd: 'r/etcd' });
  });
});
