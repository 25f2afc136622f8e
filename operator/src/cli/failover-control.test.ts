/** What `pause` and `abort` say, beside what the state machine then does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ZoneFailoverSpec, ZoneFailoverStatus } from '@causeway/crds';
import { outcomeOf, type Said } from './failover-control.ts';
import { drill } from './report/testing/examples.ts';

type Mode = ZoneFailoverSpec['mode'];
type Status = Required<ZoneFailoverStatus>;

function said(where: string, words: Said, mode: Mode = 'Drill', moved = true): string {
  const [phase, step] = where.split('/') as [Status['phase'], Status['step']];
  const { spec, status, ...made } = drill();
  const { finishedAt: _end, ...rest } = status ?? {};
  const at = { ...rest, phase, moved, ...(step === undefined ? {} : { step }) };
  const outcome = outcomeOf({ ...made, spec: { ...spec, mode }, status: at }, words);
  return 'said' in outcome ? outcome.said : `REFUSED ${outcome.refused}`;
}

describe('abort', () => {
  const abort = { abort: true };

  it('goes back at once, or says when it will', () => {
    for (const phase of ['Queued', 'Preflight', 'Prepare', 'Drain', 'Fence', 'Verify', 'Hold'])
      assert.equal(said(phase, abort), 'asked to go back', phase);
    for (const phase of ['Promote', 'Shift'])
      assert.equal(
        said(phase, abort),
        `asked to go back; it is in ${phase}, and does so once the home has arrived`,
      );
    assert.match(said('Verify', abort, 'Emergency'), /asked to go back, as soon as eu-central-1a answers/);
  });

  it('is refused where nothing would come of it', () => {
    assert.equal(said('Restore/GiveBack', abort), 'REFUSED is in Restore/GiveBack: it goes back already.');
    assert.match(said('RollingBack/Fence', abort), /^REFUSED is in RollingBack\/Fence: it goes back already/);
    assert.equal(
      said('Restore/GiveBack', abort, 'Planned'),
      'REFUSED is in Restore/GiveBack: it is too late to take it back. A Planned failover from eu-central-1b moves the home back.',
    );
    assert.match(said('Restore/GiveBack', abort, 'Planned', false), /too late to take it back\.$/);
    assert.equal(said('RolledBack', abort), 'REFUSED has ended: RolledBack.');
  });
});

describe('pause', () => {
  const pause = { pause: true };

  it('stands still at once where some zone takes writes', () => {
    for (const where of ['Queued', 'Preflight', 'Prepare', 'Verify', 'Hold', 'Restore/GiveBack'])
      assert.equal(said(where, pause), 'paused', where);
    assert.match(said('Drain', pause), /^paused; gateways that were told already go on/);
    assert.equal(said('Hold', { pause: false }), 'resumed');
  });

  it('says where it will, where none may', () => {
    for (const where of ['Fence', 'Promote', 'Shift'])
      assert.match(
        said(where, pause),
        new RegExp(`^to be paused; it is in ${where}, .* goes on to Verify first$`),
      );
    for (const where of ['Restore/Fence', 'Restore/Promote', 'Restore/Shift'])
      assert.match(said(where, pause), /^to be paused; .* goes on to Restore\/GiveBack first$/);
  });

  it('is refused on the way back', () => {
    for (const step of ['CatchUp', 'Fence', 'GiveBack'])
      assert.match(
        said(`RollingBack/${step}`, pause),
        /^REFUSED is in .*: on its way back it is not paused\.$/,
      );
  });
});
