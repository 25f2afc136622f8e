import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessagePlatform } from '@causeway/crds';
import { KubeError } from '../controller/kube-api.ts';
import { FakeKubeApi } from '../controller/testing/index.ts';
import { dnsCondition, reconcileDns, type DnsCondition } from './dns-effects.ts';
import type { DnsEndpoint } from './dns.ts';
import { KIND } from './kinds.ts';
import { ordersPlatform } from './testing/orders.ts';

const REF = { namespace: 'messaging', name: 'orders-gateway' };

/** A platform that asks for a record, unless `asks` is false; `said`: what its status says of it. */
function platformOf(said: DnsCondition | undefined, asks = true): MessagePlatform {
  return ordersPlatform((platform) => {
    const time = { lastTransitionTime: '2026-11-24T10:00:00Z' };
    if (said !== undefined) platform.status = { conditions: [{ ...said, ...time }] };
    if (asks)
      platform.spec.gateway.dns = {
        hostname: 'chat.example.com',
        setIdentifier: 'eu',
        weight: 100,
        weightProperty: 'aws/weight',
        recordTTL: 60,
        targets: ['192.0.2.1'],
      };
  });
}

const MADE: DnsCondition = { type: 'DnsReady', status: 'True', reason: 'AsDesired', message: 'It is there.' };

/** One look. `calls`: what was asked of the API server. */
async function look(
  platform: MessagePlatform,
  { kube = new FakeKubeApi(), paused = false }: { kube?: FakeKubeApi; paused?: boolean } = {},
): Promise<{ reason: string | undefined; calls: string[]; kube: FakeKubeApi }> {
  const cache = { get: () => undefined, ofPlatform: () => [], all: () => [], hasSeenOurWrites: () => true };
  const before = kube.calls.length;
  const said = await reconcileDns({ kube, cache }, platform, { pods: [], paused });
  return { reason: said?.reason, calls: kube.calls.slice(before).map(({ verb }) => verb), kube };
}

function stored(kube: FakeKubeApi): Promise<DnsEndpoint | undefined> {
  return kube.get<DnsEndpoint>(KIND.dnsEndpoint, REF);
}

/** The record is there, as it should be. */
async function made(): Promise<FakeKubeApi> {
  const { kube } = await look(platformOf(MADE));
  assert.ok(await stored(kube));
  return kube;
}

describe('a record', () => {
  it('is said before it is made, so that a crash leaves none behind that nobody knows of', async () => {
    const { reason, calls } = await look(platformOf(undefined));
    assert.equal(reason, 'Progressing');
    assert.deepEqual(calls, []);
    const next = await look(platformOf({ ...MADE, status: 'False', reason: 'Progressing' }));
    assert.equal(next.reason, 'AsDesired');
    assert.deepEqual(next.calls, ['get', 'apply']);
  });

  it('that is as it should be is not written again, and one that is not is', async () => {
    const kube = await made();
    assert.deepEqual((await look(platformOf(MADE), { kube })).calls, ['get']);
    await kube.mergePatch(KIND.dnsEndpoint, REF, { spec: { endpoints: [] } });
    assert.deepEqual((await look(platformOf(MADE), { kube })).calls, ['get', 'apply']);
    assert.equal((await stored(kube))?.spec?.endpoints?.length, 1);
  });

  it('that nobody asks for is taken away, and then not looked for any more', async () => {
    const kube = await made();
    const gone = await look(platformOf(MADE, false), { kube });
    assert.equal(gone.reason, undefined);
    assert.equal(await stored(kube), undefined);
    assert.deepEqual((await look(platformOf(undefined, false), { kube })).calls, []);
  });

  it('stays as it is while the platform is paused', async () => {
    const kube = await made();
    for (const asks of [true, false]) {
      const { reason, calls } = await look(platformOf(MADE, asks), { kube, paused: true });
      assert.deepEqual([reason, calls], ['AsDesired', []]);
    }
  });

  it('of somebody else under its name is neither changed nor deleted', async () => {
    const kube = new FakeKubeApi();
    const { apiVersion, kind } = KIND.dnsEndpoint;
    await kube.create(KIND.dnsEndpoint, { apiVersion, kind, metadata: REF });
    assert.equal((await look(platformOf(MADE), { kube })).reason, 'NameTaken');
    await look(platformOf(MADE, false), { kube });
    assert.equal((await stored(kube))?.spec, undefined);
    assert.ok(await stored(kube));
  });

  const answers: { code: number; reason: string; said: string }[] = [
    { code: 404, reason: 'NotFound', said: 'ExternalDnsMissing' },
    { code: 403, reason: 'Forbidden', said: 'Refused' },
  ];
  for (const { code, reason, said } of answers)
    it(`that the API server answers with ${code} waits: ${said}`, async () => {
      const kube = new FakeKubeApi();
      kube.before = ({ verb }) => {
        if (verb === 'apply') throw new KubeError('no', { code, reason });
      };
      assert.equal((await look(platformOf(MADE), { kube })).reason, said);
    });

  it('that could not be asked for is an error, not a state', async () => {
    const kube = new FakeKubeApi();
    kube.before = () => {
      throw new KubeError('later', { code: 503, reason: 'ServiceUnavailable' });
    };
    await assert.rejects(look(platformOf(MADE), { kube }), /later/);
  });

  it('is known by its condition', () => assert.deepEqual(dnsCondition(platformOf(MADE)), MADE));
});
