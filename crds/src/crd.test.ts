import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCrd, walk } from '../scripts/crd.ts';
import { invalidFailoverEdits, invalidFailovers } from './invalid-failovers.ts';
import { invalidEdits, invalidPlatforms, merge, unknownFields } from './invalid-platforms.ts';
import { invalidSchedules } from './invalid-schedules.ts';

const KINDS = [
  {
    plural: 'messageplatforms',
    fields: 100,
    leastRules: 40,
    broken: [...invalidPlatforms, ...invalidEdits, ...unknownFields],
  },
  {
    plural: 'zonefailovers',
    fields: 50,
    leastRules: 12,
    broken: [...invalidFailovers, ...invalidFailoverEdits],
  },
  {
    plural: 'drillschedules',
    fields: 50,
    leastRules: 8,
    broken: invalidSchedules,
  },
] as const;

for (const { plural, fields, leastRules, broken } of KINDS) {
  const { schema } = readCrd(plural);
  // metadata is Kubernetes' own: the apiserver allows no description there.
  const nodes = [...walk(schema, '')].filter(({ path }) => path !== '.metadata');
  const rules = nodes.flatMap((node) =>
    (node.schema['x-kubernetes-validations'] ?? []).map((rule) => ({ path: node.path, ...rule })),
  );

  describe(`the schema of ${plural}`, () => {
    it('describes every field, so that kubectl explain explains', () => {
      const silent = nodes.filter(
        ({ path, schema: node }) => !path.endsWith('[*]') && !node.description?.trim(),
      );
      assert.deepEqual(
        silent.map(({ path }) => path),
        [],
      );
      assert.ok(nodes.length > fields, `the walk saw ${nodes.length} fields`);
    });

    it('describes each field in a sentence', () => {
      const ragged = nodes.filter(
        ({ schema: node }) => node.description && !/^[A-Za-z].*\.$/s.test(node.description),
      );
      assert.deepEqual(
        ragged.map(({ path, schema: node }) => `${path}: ${node.description}`),
        [],
      );
    });

    it('says in each rule what is wrong in words, not in regular expressions', () => {
      assert.ok(rules.length >= leastRules, `${rules.length} rules`);
      for (const { path, message } of rules) {
        assert.ok(message.length >= 25, `${path}: "${message}" says too little`);
        assert.doesNotMatch(
          message,
          /[\\^$]|\[[a-z0-9]|self\./,
          `${path}: "${message}" shows the rule's insides`,
        );
      }
    });

    it('bounds every list, and every text that a person writes', () => {
      const spec = [...walk(schema.properties.spec, 'spec')];
      const unbounded = spec.filter(
        ({ schema: node }) =>
          (node.type === 'string' && node.maxLength === undefined && node.enum === undefined) ||
          (node.type === 'array' && node.maxItems === undefined),
      );
      assert.deepEqual(
        unbounded.map(({ path }) => path),
        [],
      );
    });

    it('has no pattern, whose refusal would be a regular expression', () => {
      assert.deepEqual(
        nodes.filter(({ schema: node }) => 'pattern' in node).map(({ path }) => path),
        [],
      );
    });
  });

  describe(`the table of invalid ${plural}`, () => {
    it('names each case once', () => {
      const names = broken.map(({ name }) => name);
      assert.deepEqual(
        names.filter((name, index) => names.indexOf(name) !== index),
        [],
      );
    });

    it('breaks every rule of the schema at least once', () => {
      const unbroken = rules.filter((rule) => !broken.some(({ message }) => rule.message.includes(message)));
      assert.deepEqual(
        unbroken.map(({ path, message }) => `${path}: ${message}`),
        [],
      );
    });
  });
}

describe('merge', () => {
  it('does as RFC 7396 says', () => {
    const cases: [unknown, unknown, unknown][] = [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
      [
        ['a', 'b'],
        ['c', 'd'],
        ['c', 'd'],
      ],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ];
    for (const [target, change, result] of cases) assert.deepEqual(merge(target, change), result);
  });
});
