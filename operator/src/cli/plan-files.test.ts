import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readManifests, type Manifests } from './plan-files.ts';

const RULE = { fallback: 'from-context', required: undefined };

function read(text: string, rule: Parameters<typeof readManifests>[2] = RULE): Manifests {
  return readManifests(['-'], text, rule);
}

const platform = (name: string, more = ''): string =>
  `apiVersion: causeway.dev/v1alpha1\nkind: MessagePlatform\nmetadata: { name: ${name}${more} }\nspec: { homeZone: a }\n`;

describe('reading manifests', () => {
  it('finds platforms among other documents, and says what it skips', () => {
    const found = read(
      [
        '# only a comment',
        'apiVersion: v1\nkind: Namespace\nmetadata: { name: messaging }',
        platform('orders', ', namespace: messaging'),
        'apiVersion: v1\nkind: Secret\nmetadata: { name: jwt, namespace: messaging }\nstringData: { hmac: geheim-ä }',
        platform('news'),
      ].join('\n---\n'),
    );
    assert.deepEqual(
      found.platforms.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      ['messaging/orders', 'from-context/news'],
    );
    assert.deepEqual(found.skipped, ['Namespace messaging', 'Secret jwt']);
    assert.deepEqual([...found.namespaces], ['messaging']);
    const hmac = found.secrets.get('messaging/jwt')?.['hmac'] ?? '';
    assert.equal(Buffer.from(hmac, 'latin1').toString('utf8'), 'geheim-ä');
  });

  it('unpacks a List, and drops what the server added to an exported platform', () => {
    const text = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'causeway.dev/v1alpha1',
          kind: 'MessagePlatform',
          metadata: { name: 'orders', uid: 'u', resourceVersion: '7', managedFields: [] },
          spec: {},
          status: { epoch: 3 },
        },
      ],
    });
    assert.deepEqual(read(text).platforms, [
      {
        apiVersion: 'causeway.dev/v1alpha1',
        kind: 'MessagePlatform',
        metadata: { name: 'orders', namespace: 'from-context' },
        spec: {},
      },
    ]);
  });

  const refusals: { name: string; text: string; required?: string; says: string }[] = [
    {
      name: 'broken YAML, with its line',
      text: 'a: [1,\nb: }',
      says: 'standard input: Flow sequence in block collection must be sufficiently indented and end with a ] at line 2, column 1.',
    },
    {
      name: 'nothing to plan for',
      text: 'apiVersion: v1\nkind: Secret\nmetadata: { name: jwt }',
      says: '-: no MessagePlatform to plan for; there is only Secret jwt. Give a file with kind: MessagePlatform.',
    },
    {
      name: 'an empty file',
      text: '',
      says: '-: no MessagePlatform to plan for; it is empty. Give a file with kind: MessagePlatform.',
    },
    {
      name: 'a platform without a name',
      text: 'apiVersion: causeway.dev/v1alpha1\nkind: MessagePlatform\nmetadata: { generateName: a- }',
      says: 'standard input: a MessagePlatform has no metadata.name.',
    },
    {
      name: 'a version that it does not know',
      text: platform('orders').replace('v1alpha1', 'v9'),
      says: 'standard input: MessagePlatform orders has apiVersion causeway.dev/v9; this command knows causeway.dev/v1alpha1.',
    },
    {
      name: 'another namespace than that of -n',
      text: platform('orders', ', namespace: messaging'),
      required: 'elsewhere',
      says: 'standard input: MessagePlatform orders is in namespace messaging, and -n says elsewhere. Leave one of them out.',
    },
    { name: 'a bare value', text: 'hello', says: 'standard input: a document is no Kubernetes object' },
  ];
  for (const { name, text, required, says } of refusals) {
    it(`refuses ${name}`, () => {
      const rule = { fallback: required ?? 'from-context', required };
      assert.throws(
        () => read(text, rule),
        (error: Error) => error.message.startsWith(says) || assert.fail(error.message),
      );
    });
  }
});

describe('reading paths', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'causeway-plan-'));
    writeFileSync(join(folder, 'b.yaml'), platform('second'));
    writeFileSync(join(folder, 'a.yml'), platform('first'));
    writeFileSync(join(folder, 'notes.txt'), 'no YAML: [');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('takes the manifests of a directory, in order', () => {
    const { platforms } = readManifests([folder], undefined, RULE);
    assert.deepEqual(
      platforms.map(({ metadata }) => metadata.name),
      ['first', 'second'],
    );
  });

  it('says which path is not there', () => {
    assert.throws(() => readManifests([join(folder, 'c.yaml')], undefined, RULE), {
      message: `${join(folder, 'c.yaml')}: no such file or directory. -f takes a file, a directory, or - for standard input.`,
    });
  });
});
