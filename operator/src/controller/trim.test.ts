import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
  it('keeps what we own and drops what others own', () => {
    assert.deepEqual(withoutForeignFields(object([theirs, ours])), object([ours]));
  });

  it('leaves the object that it is given as it was', () => {
    const given = object([theirs, ours]);
    withoutForeignFields(given);
    assert.deepEqual(given, object([theirs, ours]));
  });

  it('copies nothing when there is nothing to drop', () => {
    const given = object([ours]);
    assert.equal(withoutForeignFields(given), given);
  });
});
