import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRole, parseRunId, urlOf } from './redis-role.ts';

describe("a Redis' word on itself", () => {
  it('names whom a replica follows', () => {
    for (const host of [
      '10.0.0.7',
      'fd00::7',
      '::ffff:10.0.0.7',
      'orders-redis-zone-b.shop.svc',
      'a_b',
      'c.',
    ])
      assert.deepEqual(parseRole(['slave', host, 6379, 'connect', -1]), {
        role: 'slave',
        primary: { host, port: 6379 },
      });
    assert.deepEqual(parseRole(['master', 3129659, [['127.0.0.1', '9001', '3129242']]]), { role: 'master' });
    assert.deepEqual(parseRole(['sentinel', ['orders']]), { role: 'sentinel' });
  });

  it('is not followed where nobody can be', () => {
    for (const host of [
      '',
      '?',
      'a b',
      'a/b',
      'a@b',
      '[::1]',
      'fe80::1%eth0',
      '-a',
      'a..b',
      'a'.repeat(254),
      7,
      null,
    ])
      assert.deepEqual(parseRole(['slave', host, 6379, 'connected', 1]), { role: 'slave' });
    for (const port of [0, -1, 65_536, 1.5, Number.NaN, '6379', undefined])
      assert.deepEqual(parseRole(['slave', 'a', port, 'connected', 1]), { role: 'slave' });
  });

  it('is never a master by mistake, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (answer) => {
        const { role, primary } = parseRole(answer);
        assert.equal(role === 'master', Array.isArray(answer) && answer[0] === 'master');
        assert.equal(primary, undefined);
        assert.doesNotThrow(() => parseRunId(answer));
      }),
    );
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (host, port) => {
        const { primary } = parseRole(['slave', host, port]);
        if (primary) assert.equal(new URL(urlOf('redis://a', primary)).port, String(port));
      }),
    );
  });

  it('has the ID of its process', () => {
    const info = '# Server\r\nredis_version:7.2.4\r\nrun_id:5f1c\r\ntcp_port:6379\r\n';
    assert.equal(parseRunId(info), '5f1c');
    assert.equal(parseRunId('# Server\r\nold_run_id:5f1c\r\nrun_id:\r\n'), undefined);
    assert.equal(parseRunId(undefined), undefined);
  });
});

describe('the URL of another Redis', () => {
  it('keeps all but host and port', () => {
    const url = 'rediss://ann:secret@redis.shop.svc/1';
    assert.equal(urlOf(url, { host: '10.0.0.7', port: 7000 }), 'rediss://ann:secret@10.0.0.7:7000/1');
    assert.equal(urlOf('redis://a:1', { host: 'fd00::7', port: 6379 }), 'redis://[fd00::7]:6379');
  });

  it('leads to every host that a replica can name', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (named, port) => {
        const { primary } = parseRole(['slave', named, port, 'connected', 1]);
        assert.ok(primary, named);
        const { hostname, port: found } = new URL(urlOf('redis://nobody.test', primary));
        assert.notEqual(hostname, 'nobody.test');
        assert.equal(found, String(port));
      }),
    );
  });
});
