import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Informer } from './informer.ts';
import type { InformerOptions } from './informer.ts';
import { InformerSet } from './informer-set.ts';
import { KubeError } from './kube-api.ts';
import type { KubeObject } from './kube-api.ts';
import { createMetrics } from './metrics.ts';
import { byLabel, byNamespacedLabel } from './object-cache.ts';
import { FakeKubeApi, TestClock } from './testing/index.ts';

const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };

interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}

function configMap(name: string, value: string, namespace = 'ns'): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name, labels: { value } },
    data: { value },
  };
}

function start(
  options: Partial<InformerOptions<ConfigMap>> = {},
  api: FakeKubeApi = new FakeKubeApi(),
): {
  api: FakeKubeApi;
  clock: TestClock;
  informer: Informer<ConfigMap>;
  news: string[];
  metrics: ReturnType<typeof createMetrics>;
  stop: () => Promise<void>;
} {
  const clock = new TestClock();
  const metrics = createMetrics();
  const informer = new Informer<ConfigMap>({ api, kind: CONFIG_MAP, clock, metrics, ...options });
  const news: string[] = [];
  informer.onChange({
    add: (object) => news.push(`+${object.metadata.name}=${object.data.value}`),
    update: (before, after) => news.push(`~${after.metadata.name}=${before.data.value}>${after.data.value}`),
    delete: (object) => news.push(`-${object.metadata.name}`),
  });
  const ending = new AbortController();
  const running = informer.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  return { api, clock, informer, news, metrics, stop };
}

async function change(api: FakeKubeApi, name: string, value: string, namespace = 'ns'): Promise<void> {
  await api.apply(CONFIG_MAP, configMap(name, value, namespace));
}

test('the cache follows adds, updates and deletions, and tells old and new', async () => {
  const { api, clock, informer, news, stop } = start({ indexers: { value: byLabel('value') } });
  await change(api, 'a', '1');
  await clock.advance(0);
  assert.ok(informer.hasSynced);
  await change(api, 'a', '2');
  await change(api, 'b', '2');
  await clock.advance(0);
  assert.deepEqual(
    informer.byIndex('value', '2').map((each) => each.metadata.name),
    ['a', 'b'],
  );
  assert.deepEqual(informer.byIndex('value', '1'), []);
  await api.delete(CONFIG_MAP, { namespace: 'ns', name: 'a' });
  await clock.advance(0);
  assert.deepEqual(news, ['+a=1', '~a=1>2', '+b=2', '-a']);
  assert.equal(informer.get({ namespace: 'ns', name: 'a' }), undefined);
  await stop();
});

test('a watch that ends, or fails, goes on from where it was: nothing is missed, nothing listed again', async () => {
  const { api, clock, news, stop } = start();
  await change(api, 'a', '1');
  await clock.advance(0);
  for (const error of [undefined, new Error('connection reset')]) {
    api.endWatches(error);
    await change(api, 'a', error === undefined ? '2' : '3');
    await clock.advance(5_000);
  }
  assert.deepEqual(news, ['+a=1', '~a=1>2', '~a=2>3']);
  assert.equal(api.calls.filter(({ verb }) => verb === 'list').length, 1);
  await stop();
});

test('when the version is too old (410), it lists anew and tells only what has changed', async () => {
  const { api, clock, news, stop, metrics } = start();
  await change(api, 'kept', '1');
  await change(api, 'gone', '1');
  await change(api, 'edited', '1');
  await clock.advance(0);
  api.before = ({ verb }) => {
    if (verb === 'watch') throw new Error('unreachable');
  };
  api.endWatches(new Error('cut'));
  await clock.advance(2_000);
  await change(api, 'edited', '2');
  await api.delete(CONFIG_MAP, { namespace: 'ns', name: 'gone' });
  await change(api, 'new', '1');
  api.compact();
  api.before = () => undefined;
  await clock.advance(120_000);
  assert.deepEqual(
    news.slice(3).toSorted((a, b) => a.localeCompare(b)),
    ['-gone', '+new=1', '~edited=1>2'].toSorted((a, b) => a.localeCompare(b)),
  );
  assert.match(
    await metrics.registry.metrics(),
    /watch_restarts_total\{kind="ConfigMap",reason="expired"\} 1/,
  );
  await stop();
});

test('a list that fails is tried again for ever, with a pause that grows to at most a minute', async () => {
  const api = new FakeKubeApi();
  api.before = () => {
    throw new KubeError('forbidden', { code: 403, reason: 'Forbidden' });
  };
  const { clock, informer, stop } = start({}, api);
  await clock.advance(600_000);
  const lists = api.calls.length;
  assert.ok(lists > 10 && lists < 40, `${lists} lists in ten minutes`);
  assert.equal(informer.hasSynced, false);
  api.before = () => undefined;
  await change(api, 'a', '1');
  await clock.advance(60_000);
  assert.equal(informer.get({ namespace: 'ns', name: 'a' })?.data.value, '1');
  await stop();
});

test('what the watch swallowed is found by the periodic list, and counted', async () => {
  const { api, clock, informer, news, metrics, stop } = start({ relistMs: 60_000 });
  await change(api, 'a', '1');
  await clock.advance(0);
  api.swallow = (event) => event.type !== 'BOOKMARK' && event.object.metadata.name === 'a';
  await change(api, 'a', '2');
  await clock.advance(0);
  assert.deepEqual(news, ['+a=1']);
  await clock.advance(61_000);
  assert.equal(informer.get({ namespace: 'ns', name: 'a' })?.data.value, '2');
  assert.deepEqual(news, ['+a=1', '~a=1>2']);
  assert.doesNotMatch(await metrics.registry.metrics(), /relist_found_total\{/, 'the watch may be late only');
  api.bookmark();
  await clock.advance(0);
  assert.match(
    await metrics.registry.metrics(),
    /causeway_informer_relist_found_total\{kind="ConfigMap"\} 1/,
  );
  await stop();
});

test('what the watch only tells a little later than the periodic list is not counted, nor told twice', async () => {
  const { api, clock, news, metrics, stop } = start({ relistMs: 60_000 });
  await change(api, 'a', '1');
  await clock.advance(0);
  api.before = async ({ verb }) => {
    if (verb !== 'list') return;
    // Between the list's question and its answer.
    api.swallow = () => true;
    await change(api, 'a', '2');
  };
  await clock.advance(61_000);
  assert.deepEqual(news, ['+a=1', '~a=1>2']);
  api.swallow = () => false;
  api.endWatches();
  await clock.advance(5_000);
  api.bookmark();
  await clock.advance(0);
  assert.deepEqual(news, ['+a=1', '~a=1>2']);
  assert.doesNotMatch(await metrics.registry.metrics(), /relist_found_total\{/);
  await stop();
});

test('a periodic list that the watch has overtaken brings nothing back', async () => {
  const { api, clock, informer, news, stop } = start({ relistMs: 60_000 });
  await change(api, 'a', '1');
  await clock.advance(0);
  api.after = async ({ verb }) => {
    if (verb !== 'list') return;
    // The list has its items, and is under way; the watch tells of the deletion first.
    await api.delete(CONFIG_MAP, { namespace: 'ns', name: 'a' });
    await clock.sleep(100);
  };
  await clock.advance(70_000);
  assert.equal(informer.get({ namespace: 'ns', name: 'a' }), undefined);
  assert.deepEqual(news, ['+a=1', '-a']);
  await stop();
});

test('several namespaces are followed each by itself; others are not', async () => {
  const { api, clock, informer, stop } = start({ namespaces: ['one', 'two', 'one'] });
  await change(api, 'a', '1', 'one');
  await change(api, 'b', '1', 'two');
  await change(api, 'c', '1', 'three');
  await clock.advance(0);
  assert.deepEqual(
    informer
      .list()
      .map((each) => each.metadata.name)
      .toSorted((a, b) => a.localeCompare(b)),
    ['a', 'b'],
  );
  assert.deepEqual(
    informer.list('two').map((each) => each.metadata.name),
    ['b'],
  );
  assert.equal(api.watching, 2);
  assert.equal(informer.observedResourceVersion('three'), undefined);
  await stop();
});

test('an object that was deleted and made again between two looks is told as two objects', async () => {
  const { api, clock, news, stop } = start();
  await change(api, 'a', '1');
  await clock.advance(0);
  api.before = ({ verb }) => {
    if (verb === 'watch') throw new Error('unreachable');
  };
  api.endWatches(new Error('cut'));
  await clock.advance(1);
  await api.delete(CONFIG_MAP, { namespace: 'ns', name: 'a' });
  await change(api, 'a', '2');
  api.compact();
  api.before = () => undefined;
  await clock.advance(60_000);
  assert.deepEqual(news, ['+a=1', '-a', '+a=2']);
  await stop();
});

test('it is stale when nothing was heard for long, and fresh again after a bookmark', async () => {
  const { api, clock, informer, stop } = start();
  const set = new InformerSet();
  set.add(informer);
  await clock.advance(0);
  assert.equal(set.staleProblem(300_000), undefined);
  await clock.advance(301_000);
  assert.match(set.staleProblem(300_000) ?? '', /no news from the API server: ConfigMap for 301 s/);
  api.bookmark();
  await clock.advance(0);
  assert.equal(set.staleProblem(300_000), undefined);
  await stop();
});

test('a handler that throws keeps neither the cache nor other handlers from the news', async () => {
  const { api, clock, informer, news, stop } = start();
  informer.onChange({
    add: () => {
      throw new Error('bug');
    },
  });
  await change(api, 'a', '1');
  await clock.advance(0);
  await change(api, 'b', '1');
  await clock.advance(0);
  assert.deepEqual(news, ['+a=1', '+b=1']);
  assert.equal(informer.size, 2);
  await stop();
});

test('whoever registers late hears of all that is there', async () => {
  const { api, clock, informer, stop } = start({ indexers: { owner: byNamespacedLabel('value') } });
  await change(api, 'a', 'x');
  await clock.advance(0);
  const heard: string[] = [];
  const end = informer.onChange({ add: (object) => heard.push(object.metadata.name) });
  assert.deepEqual(heard, ['a']);
  end();
  await change(api, 'b', 'x');
  await clock.advance(0);
  assert.deepEqual(heard, ['a']);
  assert.equal(informer.byIndex('owner', 'ns/x').length, 2);
  assert.throws(() => informer.byIndex('nonsense', 'x'), /no index "nonsense"; there are: namespace, owner/);
  await stop();
});

test('property: whatever fails in between, the cache ends as the server is, and the handlers saw a true story', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), name: fc.integer({ min: 0, max: 3 }), value: fc.nat(9) }),
    fc.record({
      do: fc.constant('delete' as const),
      name: fc.integer({ min: 0, max: 3 }),
      value: fc.constant(0),
    }),
    fc.record({
      do: fc.constantFrom('end', 'fail', 'compact', 'cut', 'heal'),
      name: fc.constant(0),
      value: fc.nat(3000),
    }),
    fc.record({ do: fc.constantFrom('bookmark', 'wait'), name: fc.constant(0), value: fc.nat(40_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { api, clock, informer, stop } = start({ relistMs: 30_000 });
      const story = new Map<string, string>();
      informer.onChange({
        add: (object) => {
          assert.ok(!story.has(object.metadata.name), 'added twice');
          story.set(object.metadata.name, object.data.value ?? '');
        },
        update: (before, after) => {
          assert.equal(story.get(after.metadata.name), before.data.value);
          story.set(after.metadata.name, after.data.value ?? '');
        },
        delete: (object) => assert.ok(story.delete(object.metadata.name), 'deleted twice'),
      });
      for (const { do: what, name, value } of steps) {
        if (what === 'set') await change(api, `n${name}`, String(value));
        if (what === 'delete') await api.delete(CONFIG_MAP, { namespace: 'ns', name: `n${name}` });
        if (what === 'end') api.endWatches();
        if (what === 'fail') api.endWatches(new Error('reset'));
        if (what === 'compact') api.compact();
        if (what === 'bookmark') api.bookmark();
        if (what === 'heal') api.before = () => undefined;
        if (what === 'cut') {
          api.before = ({ verb }) => {
            if (verb === 'watch' || verb === 'list') throw new Error('unreachable');
          };
        }
        if (what === 'wait' || what === 'end' || what === 'fail') await clock.advance(value);
      }
      api.before = () => undefined;
      await clock.advance(120_000);
      const { items } = await api.list<ConfigMap>(CONFIG_MAP);
      const truth = Object.fromEntries(items.map((each) => [each.metadata.name, each.data.value]));
      const cached = informer.list().map((each) => [each.metadata.name, each.data.value]);
      assert.deepEqual(Object.fromEntries(story), truth);
      assert.deepEqual(Object.fromEntries(cached), truth);
      await stop();
    }),
    { numRuns: 150 },
  );
});
