import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { appliedFields } from './field-ownership.ts';
import type { KubeObject } from './kube-api.ts';
import { withoutForeignFields } from './trim.ts';

const ours = { manager: 'causeway', operation: 'Apply', fieldsV1: { 'f:spec': {} } };
const theirs = { manager: 'kube-controller-manager', operation: 'Update', fieldsV1: { 'f:status': {} } };
const object = (managedFields: object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', resourceVersion: '7', managedFields },
});

describe('withoutForeignFields', () => {
  it('keeps what we own, as text, and drops what others own', () => {
    const kept = { manager: 'causeway', operation: 'Apply', fieldsText: '{"f:spec":{}}' };
    assert.deepEqual(withoutForeignFields(object([theirs, ours])), object([kept]));
  });

  it('leaves the object that it is given as it was', () => {
    const given = object([theirs, ours]);
    withoutForeignFields(given);
    assert.deepEqual(given, object([theirs, ours]));
  });

  it('does not change what can be read of what we own', () => {
    const given = object([theirs, ours]);
    assert.deepEqual(
      appliedFields(withoutForeignFields(given), 'causeway'),
      appliedFields(given, 'causeway'),
    );
  });
});
