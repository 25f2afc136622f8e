import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ANNOTATION, homeNotice } from '@causeway/crds';
import type { GatewayConfig } from '@causeway/crds';
import type { Log } from '../log/index.ts';
import { HomeNotice, laterHome, parseHome } from './home-notice.ts';

const ZONES = ['zone-a', 'zone-b'];

describe('a notice of the home', () => {
  it('is a zone of the platform and its epoch', () => {
    assert.deepEqual(parseHome(homeNotice('zone-b', 5), ZONES), { homeZone: 'zone-b', epoch: 5 });
    for (const text of [
      '',
      '/',
      'zone-b',
      'zone-b/',
      '/5',
      'zone-b/0',
      'zone-b/05',
      'zone-b/-1',
      'zone-b/1.5',
      'zone-b/5 ',
      'zone-b/5/6',
      'zone-x/5',
      `zone-b/${'9'.repeat(16)}`,
    ])
      assert.equal(parseHome(text, ZONES), undefined, JSON.stringify(text));
  });

  it('counts when its epoch is higher than that of the configuration', () => {
    const configured = { homeZone: 'zone-a', epoch: 5 };
    assert.deepEqual(laterHome(configured, { homeZone: 'zone-b', epoch: 6 }), {
      homeZone: 'zone-b',
      epoch: 6,
    });
    for (const told of [undefined, { homeZone: 'zone-b', epoch: 4 }, { homeZone: 'zone-b', epoch: 5 }])
      assert.deepEqual(laterHome(configured, told), configured);
  });
});

describe('who is home', () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-home-'));
  after(() => rmSync(folder, { recursive: true }));
  const configFile = join(folder, 'gateway.json');
  const annotationsFile = join(folder, 'annotations');
  const etcd = (homeZone: string, epoch: number): NonNullable<GatewayConfig['etcd']> => ({
    homeZone,
    epoch,
    prefixes: ['/config/'],
    zones: ZONES.map((zone) => ({ zone, endpoints: ['http://127.0.0.1:2379'] })),
  });
  const configure = (homeZone: string, epoch: number): void => {
    const config: GatewayConfig = {
      platform: 'orders',
      namespace: 'messaging',
      listen: { port: 8443, adminPort: 8081 },
      tls: { dir: folder, annotationsFile },
      auth: { jwt: { dir: folder } },
      allowedOrigins: [],
      heartbeat: { intervalMs: 25_000, timeoutMs: 10_000 },
      connectTimeoutMs: 5_000,
      limits: { connections: 1, messagesPerSecond: 1, burst: 1, tiers: [] },
      kafka: { brokers: ['127.0.0.1:9092'], group: 'orders', topics: [] },
      redis: { url: 'redis://127.0.0.1' },
      etcd: etcd(homeZone, epoch),
      peers: [],
      drain: { perSecond: 1, timeoutMs: 1_000, noticeMs: 500 },
    };
    writeFileSync(configFile, JSON.stringify(config));
  };
  const annotate = (value: string): void =>
    writeFileSync(annotationsFile, `a="b"\n${ANNOTATION.home}=${JSON.stringify(value)}\n`);
  const lines: { level: string; text: string }[] = [];
  const note =
    (level: string) =>
    (message: string, fields: object = {}): void =>
      void lines.push({ level, text: `${message} ${JSON.stringify(fields)}` });
  const log = { info: note('info'), warn: note('warn') } as unknown as Log;
  const warnings = (): string[] => lines.filter(({ level }) => level === 'warn').map(({ text }) => text);

  it('is the later of the two, and what is wrong with either is said once and changes nothing', async () => {
    configure('zone-a', 1);
    writeFileSync(annotationsFile, '');
    const notice = new HomeNotice({ configFile, annotationsFile, etcd: etcd('zone-a', 1), log });
    const is = async (homeZone: string, epoch: number): Promise<void> => {
      for (let times = 0; times < 3; times += 1) assert.deepEqual(await notice.read(), { homeZone, epoch });
    };
    await is('zone-a', 1);
    assert.deepEqual(lines, []);

    annotate(homeNotice('zone-b', 2));
    await is('zone-b', 2);
    configure('zone-b', 2);
    await is('zone-b', 2);
    assert.deepEqual(lines.splice(0), [
      { level: 'info', text: 'told of another home {"homeZone":"zone-b","epoch":2}' },
    ]);

    annotate('zone-b/next');
    await is('zone-b', 2);
    assert.equal(warnings().length, 1);
    assert.match(
      warnings()[0] ?? '',
      /causeway\.dev\/home must be .*it is \\"zone-b\/next\\" and is ignored/,
    );
    annotate(homeNotice('zone-b', 1));
    await is('zone-b', 2);

    writeFileSync(configFile, '{');
    annotate(homeNotice('zone-a', 3));
    await is('zone-a', 3);
    assert.equal(warnings().length, 2, 'the configuration cannot be read');
    rmSync(annotationsFile);
    await is('zone-a', 3);
    assert.equal(warnings().length, 3, 'nor can the annotations');

    configure('zone-b', 4);
    await is('zone-b', 4);
    writeFileSync(annotationsFile, '');
    await is('zone-b', 4);
    assert.equal(warnings().length, 3);
  });
});
