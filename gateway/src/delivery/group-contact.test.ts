import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GroupContact } from './group-contact.ts';

describe('the contact with a group', () => {
  it('is lost when a member hears nothing for longer than it takes to find another coordinator', () => {
    const contact = new GroupContact(0);
    contact.heard(1_000);
    assert.equal(contact.isLost(16_000), false);
    assert.equal(contact.isLost(16_001), true);
    contact.heard(16_001);
    assert.equal(contact.isLost(31_000), false);
  });

  it('is not lost while members wait for each other', () => {
    const contact = new GroupContact(0);
    assert.equal(contact.isLost(20_000), false);
    assert.equal(contact.isLost(20_001), true);
    contact.heard(21_000);
    contact.rejoins(22_000);
    assert.equal(contact.isLost(42_000), false);
    contact.heard(42_000);
    assert.equal(contact.isLost(58_000), true);
  });
});
