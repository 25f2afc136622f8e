import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import {
  countEvictions,
  countLookups,
  countSpans,
  createDrainMetrics,
  createLimitsMetrics,
  createMetrics,
  createZoneMetrics,
  showKept,
  showQueues,
} from './index.ts';

const PREFIX = 'causeway_gateway_';
const root = join(import.meta.dirname, '..', '..', '..');

/** All that a gateway has, with values that don't matter. */
function everything(): Registry {
  const zero = (): number => 0;
  const { registry } = createMetrics({
    zone: 'zone-a',
    connections: () => ({}),
    handshakes: async () => 0,
    channels: zero,
    presence: zero,
    pendingPublications: zero,
    syncStreams: zero,
    syncEpoch: zero,
    backendUp: () => ({}),
  });
  showKept(registry, () => ({}));
  showQueues(registry, { output: () => ({ bytes: 0, largest: 0 }), lag: () => ({}) });
  createDrainMetrics(registry, () => false);
  createLimitsMetrics(registry, {
    messagesPerSecond: zero,
    fromEtcd: () => false,
    problems: () => ({ value: false, etcd: false }),
  });
  createZoneMetrics(registry, () => ({ zone: 'zone-a', seen: [] }));
  countEvictions(registry);
  countLookups(registry, () => ({}));
  countSpans(registry, () => ({}));
  return registry;
}

describe('the page about metrics', () => {
  it('lists all of them, with their labels, types and units', () => {
    const made = everything()
      .getMetricsAsArray()
      .filter(({ name }) => name.startsWith(PREFIX))
      .map((metric) => {
        const { labelNames = [] } = metric as unknown as { labelNames?: string[] };
        const { type } = metric as unknown as { type: string };
        return `${metric.name.slice(PREFIX.length)} (${labelNames.join()}) ${type}`;
      });
    const page = readFileSync(join(root, 'docs', 'metrics.md'), 'utf8');
    const listed = page
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter((cells) => cells.length === 7 && cells[1]?.startsWith('`'))
      .map(([, name = '', labels = '', type = '', unit = '', says = '']) => {
        assert.ok(unit !== '' && says !== '', `${name} has a unit and a meaning`);
        return `${name.replaceAll('`', '')} (${labels.replaceAll(/[`\s]/g, '')}) ${type}`;
      });
    assert.deepEqual(listed.toSorted(), made.toSorted());
  });

  it('is checked against each metric that the sources name', () => {
    const named = new Set<string>();
    for (const file of globSync('gateway/src/**/*.ts', { cwd: root })) {
      if (file.endsWith('.test.ts') || file.includes('/testing/')) continue;
      for (const [, name = ''] of readFileSync(join(root, file), 'utf8').matchAll(
        /'(causeway_gateway_[a-z_]+)'/g,
      ))
        named.add(name);
    }
    const made = everything()
      .getMetricsAsArray()
      .map(({ name }) => name)
      .filter((name) => name.startsWith(PREFIX));
    assert.deepEqual([...named].toSorted(), made.toSorted());
  });
});

describe('lookups of names', () => {
  it('are counted by outcome, anew each time metrics are asked for', async () => {
    const registry = new Registry();
    const lookups = { kept: 1, stale: 0 };
    countLookups(registry, () => lookups);
    await registry.metrics();
    lookups.stale = 2;
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith(PREFIX));
    assert.deepEqual(lines, [
      'causeway_gateway_lookups_total{outcome="kept"} 1',
      'causeway_gateway_lookups_total{outcome="stale"} 2',
    ]);
  });
});

describe('what waits', () => {
  it('is read when metrics are asked for, and a topic that another gateway carries now is gone', async () => {
    const registry = new Registry();
    let lag: Record<string, number> = { 'orders.chat': 3, 'orders.news': 0 };
    let output = { bytes: 0, largest: 0 };
    showQueues(registry, { output: () => output, lag: () => lag });
    assert.match(await registry.metrics(), /^causeway_gateway_carry_lag_records\{topic="orders.chat"\} 3$/m);
    lag = { 'orders.news': 2 };
    output = { bytes: 70, largest: 50 };
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith(PREFIX));
    assert.deepEqual(lines, [
      'causeway_gateway_output_bytes 70',
      'causeway_gateway_output_largest_bytes 50',
      'causeway_gateway_carry_lag_records{topic="orders.news"} 2',
    ]);
  });
});
