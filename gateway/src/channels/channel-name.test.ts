import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { namespaceOf } from './index.ts';

describe('namespaceOf', () => {
  it('is what stands before the first colon', () => {
    assert.equal(namespaceOf('chat:room1'), 'chat');
    assert.equal(namespaceOf('chat:a:b'), 'chat');
  });

  for (const name of [
    'chat',
    'chat:',
    ':room',
    '',
    'chat:a b',
    'chat:a\nb',
    'chat:ä',
    `chat:${'x'.repeat(251)}`,
  ]) {
    it(`refuses ${JSON.stringify(name).slice(0, 20)}`, () => {
      assert.equal(namespaceOf(name), undefined);
    });
  }
});
