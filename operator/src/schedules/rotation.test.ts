import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextZone, type PlatformZones } from './rotation.ts';

const PLATFORM: PlatformZones = { zones: ['a', 'b', 'c'], home: 'a' };

/** The zones of the next six drills. */
function turns(spec: Parameters<typeof nextZone>[0], platform = PLATFORM): string {
  const found: string[] = [];
  for (let n = 0; n < 6; n += 1) found.push(nextZone(spec, platform, found.at(-1)) ?? '-');
  return found.join('');
}

describe('whose turn it is', () => {
  it('goes round all zones in the order of the platform', () => {
    assert.equal(turns({ includeHome: true }), 'abcabc');
  });

  it('leaves the home out, and goes on where it was', () => {
    assert.equal(turns({ includeHome: false }), 'bcbcbc');
    assert.equal(nextZone({ includeHome: false }, { ...PLATFORM, home: 'c' }, 'b'), 'a');
  });

  it('keeps to the order of the schedule, and to zones that there are', () => {
    assert.equal(turns({ includeHome: true, zones: ['c', 'x', 'a'] }), 'cacaca');
    assert.equal(turns({ includeHome: false, zones: ['c', 'a'] }), 'cccccc');
  });

  it('starts over after a zone that is not in it any more', () => {
    assert.equal(nextZone({ includeHome: true, zones: ['b', 'c'] }, PLATFORM, 'a'), 'b');
  });

  it("is nobody's where nobody could take over", () => {
    assert.equal(turns({ includeHome: true }, { zones: ['a'], home: 'a' }), '------');
    assert.equal(turns({ includeHome: false, zones: ['a'] }), '------');
  });
});
