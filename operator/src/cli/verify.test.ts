import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verification } from '@causeway/crds';
import { styleOf } from './io.ts';
import { verifyText, type VerifyView, type ZoneView } from './verify-text.ts';

const style = styleOf({ colour: false });
const hash = (digit: string): string => digit.repeat(64);

const equal = (zone: string): Verification => ({
  zone,
  homeZone: 'zone-a',
  epoch: 3,
  revision: '5120',
  zoneRevision: '801',
  equal: true,
  keys: { home: 1200, zone: 1200 },
  sha256: { home: hash('a'), zone: hash('a') },
  differences: 0,
  shown: [],
  ms: 12,
});
const view = (...zones: ZoneView[]): VerifyView => ({
  namespace: 'messaging',
  name: 'orders',
  homeZone: 'zone-a',
  epoch: 3,
  equal: zones.every((zone) => zone.equal === true),
  zones,
});

describe('causeway verify, for people', () => {
  it('a line for each zone, and columns line up', () => {
    const text = verifyText(view(equal('zone-b'), { zone: 'zone-c', error: 'there is no replicator pod' }), {
      style,
    });
    assert.equal(
      text,
      `MessagePlatform messaging/orders, home zone-a (epoch 3)

  ZONE    STATE    REVISION  KEYS  DIFFERENCES  SHA-256           MESSAGE
  zone-b  Equal    5120      1200  0            aaaaaaaaaaaaaaaa
! zone-c  Unknown                                                 there is no replicator pod
`,
    );
  });

  it('a line for each key that differs, and how many more there are', () => {
    const differs: Verification = {
      ...equal('zone-b'),
      equal: false,
      keys: { home: 1200, zone: 1201 },
      sha256: { home: hash('a'), zone: hash('b') },
      differences: 7,
      shown: [
        { key: '/config/a', home: { bytes: 12, hash: '3f2a' }, zone: { bytes: 9, hash: '99aa' } },
        { key: '/config/lost', home: { bytes: 12, hash: '3f2a' } },
        { key: '/config/stray\u001b[2J', zone: { bytes: 0, hash: '00' } },
        { key: '/config/\ufffd', keyBase64: 'L2NvbmZpZy//', zone: { bytes: 1, hash: '01' } },
      ],
    };
    assert.equal(
      verifyText(view(differs), { style }),
      `MessagePlatform messaging/orders, home zone-a (epoch 3)

  ZONE    STATE    REVISION  KEYS  DIFFERENCES  SHA-256           MESSAGE
! zone-b  Differs  5120      1201  7            bbbbbbbbbbbbbbbb  The home has 1200 keys, aaaaaaaaaaaaaaaa.

  ZONE    KEY                       DIFFERENCE  AT HOME         IN THE ZONE
! zone-b  /config/a                 Differs     12 bytes, 3f2a  9 bytes, 99aa
! zone-b  /config/lost              Missing     12 bytes, 3f2a  -
! zone-b  "/config/stray\\u001b[2J"  Extra       -               0 bytes, 00
! zone-b  base64:L2NvbmZpZy//       Extra       -               1 bytes, 01
3 more keys of zone-b differ.
`,
    );
  });
});
