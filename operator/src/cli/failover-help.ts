/** What `--help` of `causeway failover` and its commands says below the options. */

const START = `  # A drill: zone-a is left for a minute, and then all goes back. Shows it until its end
  causeway failover start orders -n messaging --from zone-a --hold 1m

  # The home moves to zone-b for good
  causeway failover start orders --from zone-a --mode Planned --to-home zone-b

  # The zone is gone: nothing in it is waited for
  causeway failover start orders --from zone-a --mode Emergency`;

const START_MORE = `  # In a pipeline that does not wait: the name, for whoever looks later
  causeway failover start orders --from zone-a --no-watch -o json | jq -r .name`;

const WATCH = `  # Follow one; for programs, a line of JSON for each change
  causeway failover watch drill-2026-11
  causeway failover watch drill-2026-11 -o json | jq -r .phase`;

const PAUSE = `  # Stay where it is, and go on
  causeway failover pause drill-2026-11
  causeway failover pause drill-2026-11 --resume`;

const ABORT = `  # Go back
  causeway failover abort drill-2026-11`;

const REPORT = `  # What became of it, as a page to be sent to others
  causeway failover report drill-2026-11 --file drill.html`;

const CTRL_C = 'Ctrl-C ends the watching, not the failover.';
const CODES =
  '0 it succeeded, or asked for with --no-watch · 2 it was rolled back: all is as before · 1 it failed, or the command did · 130 Ctrl-C, 143 SIGTERM: it goes on';
const CONTROL_CODES = '0 done · 1 failed, or nothing would come of it where the failover is';

/** Of each command; `failover`: of all of them together. */
export const HELP = {
  failover: `
Examples:
${[START, WATCH, PAUSE, ABORT, REPORT].join('\n\n')}

${CTRL_C}

Exit codes of start and watch: ${CODES}`,
  start: `
Examples:
${START}

${START_MORE}

${CTRL_C}

Exit codes: ${CODES}`,
  watch: `
Examples:
${WATCH}

${CTRL_C}

Exit codes: ${CODES}`,
  pause: `
Examples:
${PAUSE}

It never stands still while no zone may take writes (Fence, Promote, Shift): there it goes on first. One that rolls back is not paused.

Exit codes: ${CONTROL_CODES}`,
  abort: `
Examples:
${ABORT}

From Promote and Shift it goes back once the home has arrived. "causeway failover watch" shows the way back.

Exit codes: ${CONTROL_CODES}`,
} as const;
