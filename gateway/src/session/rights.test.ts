import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChannelOptions } from '@causeway/crds';
import type { Right } from '../auth/index.ts';
import { may } from './rights.ts';

const RIGHTS: readonly Right[] = ['sub', 'pub', 'prs', 'hst'];
const SUBSCRIBE: readonly ChannelOptions['subscribe'][] = ['Authenticated', 'Granted'];
const PUBLISH: readonly ChannelOptions['publish'][] = ['Authenticated', 'Subscribers', 'Granted'];

/** All that can be granted, as a number of four bits. */
const GRANTS = Array.from({ length: 16 }, (_, bits) => RIGHTS.filter((_right, i) => (bits >> i) & 1));

/** Who has each right, in a row for each pair of options: s(ubscribed), o(thers), and those with grants. */
const TABLE: [ChannelOptions['subscribe'], ChannelOptions['publish'], Record<Right, string>][] = [
  ['Authenticated', 'Authenticated', { sub: 's o', pub: 's o', prs: 's o', hst: 's o' }],
  ['Authenticated', 'Subscribers', { sub: 's o', pub: 's +pub', prs: 's o', hst: 's o' }],
  ['Authenticated', 'Granted', { sub: 's o', pub: '+pub', prs: 's o', hst: 's o' }],
  ['Granted', 'Authenticated', { sub: '+sub', pub: 's o', prs: 's +sub +prs', hst: 's +sub +hst' }],
  ['Granted', 'Subscribers', { sub: '+sub', pub: 's +pub', prs: 's +sub +prs', hst: 's +sub +hst' }],
  ['Granted', 'Granted', { sub: '+sub', pub: '+pub', prs: 's +sub +prs', hst: 's +sub +hst' }],
];

describe('rights', () => {
  it('are in the table for all options', () => {
    const pairs = SUBSCRIBE.flatMap((subscribe) => PUBLISH.map((publish) => `${subscribe} ${publish}`));
    assert.deepEqual(
      TABLE.map(([subscribe, publish]) => `${subscribe} ${publish}`),
      pairs,
    );
  });

  for (const [subscribe, publish, rights] of TABLE) {
    for (const right of RIGHTS) {
      it(`${right}, where ${subscribe} subscribe and ${publish} publish: ${rights[right]}`, () => {
        const who = rights[right].split(' ');
        for (const subscribed of [true, false]) {
          for (const grants of GRANTS) {
            const expected =
              who.includes(subscribed ? 's' : 'o') || grants.some((grant) => who.includes(`+${grant}`));
            const standing = {
              options: { subscribe, publish },
              subscribed,
              granted: (one: Right) => grants.includes(one),
            };
            assert.equal(
              may(right, standing),
              expected,
              `subscribed ${subscribed}, granted ${grants.join(' ')}`,
            );
          }
        }
      });
    }
  }
});
