/** The operator and its command line: `causeway run`, and commands for people. */
import { basename } from 'node:path';
import { Command } from 'commander';
import { registerDrills } from './cli/drills.ts';
import { registerFailover } from './cli/failover.ts';
import { registerPlan } from './cli/plan.ts';
import { registerRotate } from './cli/rotate.ts';
import { registerRun } from './cli/run.ts';
import { registerStatus } from './cli/status.ts';
import { registerVerify } from './cli/verify.ts';
import { quietKnownWarnings } from './cli/warnings.ts';

quietKnownWarnings();
// kubectl finds plugins by the name of their file.
const isPlugin = basename(process.argv[1] ?? '').startsWith('kubectl-');
const program = new Command(isPlugin ? 'kubectl causeway' : 'causeway')
  .description('Runs realtime message platforms across availability zones on Kubernetes')
  .version('0.1.0')
  .showHelpAfterError('(causeway --help shows what there is)');
registerRun(program);
registerPlan(program);
registerStatus(program);
registerRotate(program);
registerVerify(program);
registerFailover(program);
registerDrills(program);
try {
  await program.parseAsync();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
