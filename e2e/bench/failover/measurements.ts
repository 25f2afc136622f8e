/** What clients measured, as `causeway failover report --measurements` takes it (docs/adr/0064-failover-report.md). Pure. */
import type { Measurements } from '../../../operator/src/cli/report/measurements.ts';
import type { Journal } from './journal.ts';
import { blackoutsOf, reconnectOf, type Act, type Verdict } from './judge.ts';

/** The file's contents. */
export function measurementsOf(journal: Journal, act: Act, verdict: Verdict): Required<Measurements> {
  const span = { from: act.at - journal.beganAt, to: Infinity };
  const stories = [...journal.clients.values()].filter(({ channel }) => channel !== '');
  return {
    reconnectSeconds: stories.flatMap((story) => {
      const ms = reconnectOf(story, span) ?? Infinity;
      // One that did not come back is counted elsewhere: it has no time.
      return Number.isFinite(ms) ? [ms / 1000] : [];
    }),
    blackoutSeconds: blackoutsOf(stories, journal, span).map((ms) => ms / 1000),
    acknowledged: verdict.acknowledged,
    lost: verdict.lost,
    duplicated: verdict.duplicated,
  };
}
