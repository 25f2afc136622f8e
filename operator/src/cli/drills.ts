/** `causeway drills`: schedules of drills, and how one that a failed drill has stopped goes on. */
import type { Command } from 'commander';
import { ANNOTATION } from '@causeway/crds';
import { SCHEDULE_KIND, type ScheduleObject } from '../schedules/index.ts';
import { addClusterOptions, assertServed, withCluster, type ClusterOptions } from './connect.ts';
import { drillsText, drillsView } from './drills-text.ts';
import { processIo, styleOf, type Io } from './io.ts';
import { machineText, outputOption, type OutputFormat } from './output.ts';

/** What `causeway drills` is told. */
export interface DrillsOptions extends ClusterOptions {
  allNamespaces?: boolean;
  output: OutputFormat;
}

const EXAMPLES = `
Examples:
  # All schedules of the namespace: what was, what is next, and what is to be done
  causeway drills -n messaging

  # For programs
  causeway drills -A -o json | jq '.schedules[] | select(.stopped)'

  # The last drill failed; whatever it showed is mended
  causeway drills resume tuesdays -n messaging

Exit codes: 0 shown, or done · 1 failed`;

/** Adds the command `drills`. */
export function registerDrills(program: Command): void {
  const drills = program
    .command('drills')
    .description('show schedules of drills, and let one go on after a drill that failed')
    .addHelpText('after', EXAMPLES);
  const list = drills
    .command('list', { isDefault: true })
    .description('show them; the default')
    .option('-A, --all-namespaces', 'those of all namespaces')
    .addOption(outputOption('table'));
  addClusterOptions(list).action(async (options: DrillsOptions) => {
    await runDrills(options, processIo());
  });
  const resume = drills
    .command('resume')
    .description('say that what a failed drill showed is mended, so that the next one is started')
    .argument('<name>', 'the DrillSchedule');
  addClusterOptions(resume).action(async (name: string, options: ClusterOptions) => {
    await runResume(name, options, processIo());
  });
}

/** Prints the schedules. */
export async function runDrills(options: DrillsOptions, io: Io): Promise<void> {
  await withCluster(options, async ({ api, namespace }) => {
    const everywhere = options.allNamespaces === true;
    const { items } = await api.list<ScheduleObject>(SCHEDULE_KIND, everywhere ? {} : { namespace });
    const views = items
      .map(drillsView)
      .sort((a, b) => `${a.namespace}/${a.name}`.localeCompare(`${b.namespace}/${b.name}`));
    if (options.output !== 'text') {
      io.out(machineText({ schedules: views }, options.output));
    } else if (views.length === 0) {
      const where = everywhere ? 'any namespace.' : `namespace ${namespace}. -A looks in all of them.`;
      io.out(`There is no DrillSchedule in ${where}\n`);
    } else {
      const text = { style: styleOf(io), width: io.terminal?.columns, now: io.now(), namespaces: everywhere };
      io.out(drillsText(views, text));
    }
  });
}

/** Lets a schedule go on. Throws when nothing has stopped it: who says so means another one. */
export async function runResume(name: string, options: ClusterOptions, io: Io): Promise<void> {
  await withCluster(options, async (cluster) => {
    const { api, namespace } = cluster;
    const ref = { namespace, name };
    const schedule = await api.get<ScheduleObject>(SCHEDULE_KIND, ref);
    if (schedule === undefined) await assertServed(cluster, SCHEDULE_KIND);
    if (schedule === undefined)
      throw new Error(
        `there is no DrillSchedule ${name} in namespace ${namespace}. "causeway drills -A" lists those that there are.`,
      );
    const failed = schedule.status?.failed;
    if (failed === undefined)
      throw new Error(`DrillSchedule ${namespace}/${name} is not stopped: its last drill did not fail.`);
    const annotations = { [ANNOTATION.resume]: new Date(io.now()).toISOString() };
    await api.mergePatch(SCHEDULE_KIND, ref, { metadata: { annotations } });
    io.out(`DrillSchedule ${namespace}/${name}: goes on after drill ${failed.name} of ${failed.zone}.\n`);
  });
}
