import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createTestPki } from '../../../e2e/harness/index.ts';
import type { TestPki } from '../../../e2e/harness/index.ts';
import { certificateFiles, mountSecret } from '../testing/index.ts';
import { parseAnnotations } from './annotations.ts';
import { chooseVersion, versionsIn } from './certificate-files.ts';
import { Certificates } from './certificates.ts';
import { frameOf } from './frame.ts';
import { pickCodec, pickSubprotocol } from './pick-codec.ts';
import { MAX_HEAD_BYTES, parseHead, refuse } from './upgrade.ts';
import type { RequestHead } from './upgrade.ts';

describe('parseAnnotations', () => {
  it('reads what the downward API writes', () => {
    const text = [
      'causeway.dev/certificate="3"',
      'kubectl.kubernetes.io/last-applied="{\\"a\\":\\"b=c\\"}\\n"',
      'umlaut="\\u00e4\\x41 \\\\ \\U0001f600"',
      'empty=""',
      'broken',
      'unquoted=3',
    ].join('\n');
    assert.deepEqual(Object.fromEntries(parseAnnotations(text)), {
      'causeway.dev/certificate': '3',
      'kubectl.kubernetes.io/last-applied': '{"a":"b=c"}\n',
      umlaut: 'äA \\ 😀',
      empty: '',
    });
  });

  it('reads back every value, and never fails', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z./-]{1,20}$/), fc.string()), (values) => {
        const text = Object.entries(values).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
        assert.deepEqual(Object.fromEntries(parseAnnotations(text.join('\n'))), { ...values });
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseAnnotations(text)));
  });
});

describe('the certificate to serve', () => {
  it('is the annotated one, else the current one, and never one that is not there', () => {
    const pair = { version: 0, cert: Buffer.alloc(0), key: Buffer.alloc(0), fingerprint: '' };
    const files = (versions: number[], annotated?: number, current?: number) => ({
      pairs: new Map(versions.map((version) => [version, { ...pair, version }])),
      broken: new Map<number, string>(),
      ticketKey: undefined,
      bundle: [],
      annotated,
      current,
    });
    assert.equal(chooseVersion(files([1, 2], 2, 1)), 2);
    assert.equal(chooseVersion(files([1, 2], undefined, 1)), 1);
    assert.equal(chooseVersion(files([1], 2, 1)), undefined);
    assert.equal(chooseVersion(files([1])), undefined);
    assert.equal(chooseVersion(files([], 1, 1)), undefined);
  });

  it('is one of the versions that the names of the files say', () => {
    assert.deepEqual(
      versionsIn(['tls-10.crt', 'tls-2.crt', 'tls-2.key', '..data', 'ca.crt', 'tls-x.crt']),
      [2, 10],
    );
  });

  describe('in a mounted Secret', () => {
    let pki: TestPki;
    const lines: string[] = [];
    const log = {
      debug: () => undefined,
      info: () => undefined,
      error: () => undefined,
      warn: (_: string, fields: Record<string, unknown> = {}) => void lines.push(String(fields['problem'])),
    };
    before(async () => {
      pki = await createTestPki();
    });
    after(() => pki.remove());

    it('stays when the next pair is broken, and one log line says so', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'causeway-podinfo-'));
      const annotations = join(folder, 'annotations');
      const one = await certificateFiles(pki, 1);
      const two = await certificateFiles(pki, 2);
      const secret = mountSecret({ ...one, current: '1' });
      const certificates = new Certificates(secret.dir, annotations, log);
      assert.equal(await certificates.reload(), true);
      assert.equal(await certificates.reload(), false, 'nothing has changed');
      const served = certificates.state?.fingerprint;
      secret.write({
        ...one,
        'tls-2.crt': two['tls-2.crt'] ?? '',
        'tls-2.key': one['tls-1.key'] ?? '',
        current: '1',
      });
      writeFileSync(annotations, 'causeway.dev/certificate="2"\n');
      assert.equal(await certificates.reload(), false);
      await certificates.reload();
      assert.equal(certificates.state?.fingerprint, served);
      assert.deepEqual(lines, [
        'version 2: tls-2.key is not the key of tls-2.crt; version 2 cannot be served',
      ]);
      secret.write({ ...one, ...two, current: '1' });
      assert.equal(await certificates.reload(), true);
      assert.equal(certificates.state?.version, 2);
      assert.deepEqual(certificates.state?.available, [1, 2]);
      secret.remove();
      rmSync(folder, { recursive: true });
    });
  });
});

describe('a text frame', () => {
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    it(`of ${length} bytes has the head of RFC 6455`, () => {
      const frame = frameOf('x'.repeat(length));
      const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
      assert.equal(frame.length, head + length);
      assert.equal(frame[0], 0x81);
      const said =
        head === 2 ? frame[1] : head === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
      assert.equal(said, length);
    });
  }

  it('counts bytes, not characters', () => {
    assert.deepEqual(frameOf('ä'), Buffer.from([0x81, 2, 0xc3, 0xa4]));
    assert.deepEqual(frameOf(Uint8Array.of(0, 255)), Buffer.from([0x82, 2, 0, 255]));
  });
});

describe('the head of a request', () => {
  const request =
    'GET /connection/websocket?x=1 HTTP/1.1\r\nHost: a\r\nUpgrade:  WebSocket \r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-A: 1\r\nX-A: 2\r\n\r\nrest';

  it('is read however it is cut', () => {
    fc.assert(
      fc.property(fc.nat({ max: request.length }), (cut) => {
        const whole = request.indexOf('\r\n\r\n') + 4;
        const parsed = parseHead(Buffer.from(request.slice(0, cut)));
        if (cut < whole) return assert.equal(parsed, undefined);
        assert.ok(parsed && 'method' in parsed);
        assert.equal(parsed.headers['upgrade'], 'WebSocket');
        assert.equal(parsed.headers['x-a'], '1, 2');
        return assert.equal(parsed.rest.toString(), request.slice(whole, cut));
      }),
    );
  });

  for (const [what, head] of [
    ['another version', 'GET / HTTP/1.0\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nA : b\r\n\r\n'],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ] as const) {
    it(`with ${what} is refused`, () => {
      assert.equal((parseHead(Buffer.from(head)) as { status: number }).status, 400);
    });
  }

  it('is bounded', () => {
    assert.equal((parseHead(Buffer.alloc(MAX_HEAD_BYTES + 1, 'a')) as { status: number }).status, 431);
  });

  it('never makes it fail, whatever comes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseHead(Buffer.from(bytes))));
  });

  it('decides whether it is upgraded', () => {
    const rules = {
      paths: new Set(['/connection/websocket']),
      allowedOrigins: new Set(['https://app.example']),
    };
    const head = parseHead(Buffer.from(request)) as RequestHead;
    const status = (changes: Partial<RequestHead>): number | undefined =>
      refuse({ ...head, ...changes }, rules)?.status;
    const origin = (value: string) => ({ headers: { ...head.headers, origin: value } });
    assert.equal(status({}), undefined);
    assert.equal(status({ url: '/other' }), 404);
    assert.equal(status({ method: 'POST' }), 405);
    assert.equal(status({ headers: {} }), 426);
    assert.equal(status(origin('https://evil.example')), 403);
    assert.equal(status(origin('https://APP.example')), undefined);
    assert.equal(status({ headers: { ...head.headers, 'content-length': '5' } }), 400);
  });
});

describe('the form of the protocol', () => {
  it('is the first one that a client asks for and we speak', () => {
    assert.equal(pickSubprotocol(['mqtt', 'centrifuge-protobuf', 'centrifuge-json']), 'centrifuge-protobuf');
    assert.equal(pickSubprotocol(['centrifuge-json']), 'centrifuge-json');
    assert.equal(pickSubprotocol(['mqtt']), false);
  });

  it('is Protobuf where the subprotocol or the query says so', () => {
    for (const [subprotocol, url, expected] of [
      ['', '/connection/websocket', 'json'],
      ['centrifuge-json', '/connection/websocket', 'json'],
      ['centrifuge-protobuf', '/connection/websocket', 'protobuf'],
      ['', '/connection/websocket?format=protobuf', 'protobuf'],
      ['', '/connection/websocket?a=b&cf_protocol=protobuf', 'protobuf'],
      ['', '/connection/websocket?format=json', 'json'],
    ] as const) {
      assert.equal(pickCodec(subprotocol, url).name, expected, `${subprotocol} ${url}`);
    }
  });
});
