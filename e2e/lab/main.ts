/** e2e/lab: a real three-zone Kubernetes on one Linux machine. Imports e2e/binaries and e2e/tools; main.ts is its command. */
import { Command, Option } from 'commander';
import { existsSync } from 'node:fs';
import { createProgress, withFileLock } from '../tools/index.ts';
import { paths } from './config.ts';
import { down } from './down.ts';
import { allImages, findImages } from './image-catalog.ts';
import { loadImages, loadNamed } from './image-load.ts';
import { ensureImage } from './images.ts';
import type { BuiltImage } from './images.ts';
import { logs } from './logs.ts';
import { describeLacks, findLacks } from './preflight.ts';
import { prepareLab, prepareTests } from './prepare.ts';
import { readState, requireState } from './state.ts';
import { formatStatus, getStatus } from './status.ts';
import { up } from './up.ts';
import { cut, heal, kill, revive } from './zone.ts';

const examples = `
Examples:
  node e2e/lab/main.ts up                            bring the lab up (again), clean up what an earlier one left
  export KUBECONFIG=$(node e2e/lab/main.ts kubeconfig)
  node e2e/lab/main.ts build-images operator gateway --load
  node e2e/lab/main.ts zone cut zone-b               nothing reaches zone-b; undo with: zone heal zone-b
  node e2e/lab/main.ts logs kubelet-node-a
  node e2e/lab/main.ts down                          no process, mount, link or file stays

Environment:
  CAUSEWAY_LAB_DIR        the lab's folder (default /var/lib/causeway-lab)
  XDG_CACHE_HOME          where binaries and images are kept (default ~/.cache)
  KUBEBUILDER_ASSETS      a folder with Kubernetes binaries to use when they have the right version
  CAUSEWAY_DEBIAN_MIRROR  Debian mirror for the base image (default http://deb.debian.org/debian)

Exit codes: 0 done · 1 failed · 2 wrong usage · 3 status: the lab is not up`;

function print(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

function sayThatWeWait(): void {
  process.stderr.write('Waiting for another lab command …\n');
}

/** One change of the lab at a time: `up` beside a running `down` would build on sand. */
function exclusively(work: () => Promise<void>): Promise<void> {
  return withFileLock('/run/lock/causeway-lab', work, sayThatWeWait);
}

// kafkajs sets negative time-outs (its #1751), of which Node warns: nothing that whoever runs this can act on.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'TimeoutNegativeWarning')
    process.stderr.write(`${warning.name}: ${warning.message}\n`);
});

const program = new Command('lab')
  .description(
    'A real Kubernetes with three zones on this machine, without Docker: for the demo, tests and benchmarks.',
  )
  .addHelpText('after', examples)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('up')
  .description('bring the lab up; says so when it already is; cleans up after an interrupted one')
  .action(() => exclusively(up));

program
  .command('down')
  .description('take the lab down and leave nothing behind')
  .action(() => exclusively(down));

program
  .command('status')
  .description('what is up; exit code 3 when the lab is not')
  .addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['text', 'json']).default('text'),
  )
  .action(async ({ output }: { output: 'text' | 'json' }) => {
    const status = await getStatus();
    print(output === 'json' ? JSON.stringify(status, null, 2) : formatStatus(status));
    if (!status.up) process.exitCode = 3;
  });

program
  .command('kubeconfig')
  .description("print the path of the lab's kubeconfig and nothing else")
  .action(() => {
    requireState();
    if (!existsSync(paths.kubeconfig()))
      throw new Error('The lab is still coming up: it has no kubeconfig yet');
    print(paths.kubeconfig());
  });

program
  .command('preflight')
  .description('say what this machine lacks, and what to do about it; exit code 1 when it lacks something')
  .option('--tests', 'also what the tests need that run without the lab')
  .action(async ({ tests }: { tests?: boolean }) => {
    const lacks = await findLacks(tests === true ? 'tests' : 'lab');
    print(lacks.length === 0 ? 'This machine has all that is needed, or can get it.' : describeLacks(lacks));
    if (lacks.length > 0) process.exitCode = 1;
  });

program
  .command('prepare')
  .description('install, fetch and build all that the lab needs, and start nothing')
  .option('--tests', 'what the tests need that run without the lab, instead')
  .action(({ tests }: { tests?: boolean }) =>
    exclusively(() => (tests === true ? prepareTests : prepareLab)(createProgress())),
  );

program
  .command('build-images')
  .description('build images whose inputs have changed; default: all whose Dockerfile exists')
  .argument('[names...]', allImages.map((image) => image.name).join(', '))
  .option('--load', "put them on the lab's nodes too")
  .action(async (names: string[], options: { load?: boolean }) => {
    const all = allImages.filter((image) => existsSync(image.dockerfile));
    const progress = createProgress();
    const built: BuiltImage[] = [];
    for (const image of names.length > 0 ? findImages(names) : all) {
      built.push(await progress.step(`image ${image.name}`, () => ensureImage(image)));
    }
    if (options.load) {
      requireState();
      await progress.step("onto the lab's nodes", () => loadImages(built));
    }
    for (const { reference, layout } of built) print(`${reference}  ${layout}`);
  });

program
  .command('load-image')
  .description('put images on every node: archives (docker save, OCI), or what build-images built')
  .argument('<images...>', 'archive files or image references')
  .action(async (images: string[]) => {
    requireState();
    const progress = createProgress();
    for (const image of images) await progress.step(`load ${image}`, () => loadNamed(image));
  });

program
  .command('logs')
  .description(
    "the end of a host process's log (kubelet-node-a, kube-apiserver, …) or a pod's (namespace/pod)",
  )
  .argument('[name]')
  .option('-n, --lines <count>', 'lines from the end', '100')
  .action(async (name: string | undefined, { lines }: { lines: string }) => {
    if (!/^\d+$/.test(lines)) throw new Error(`--lines takes a number, not "${lines}"`);
    print(await logs(name, Number(lines)));
  });

const zone = program.command('zone').description('real faults in one zone (zone-a, zone-b, zone-c)');
const zoneVerbs: [string, string, (zone: string) => Promise<void>][] = [
  ['cut', "take the zone's link down: it runs on, cut off from everything", cut],
  ['heal', 'bring the link up again', heal],
  ['kill', "kill every process of the zone's node at once", kill],
  ['revive', 'start the killed node again with its disk as it was', revive],
];
for (const [verb, description, action] of zoneVerbs) {
  zone
    .command(verb)
    .description(description)
    .argument('<zone>')
    .action((name: string) => exclusively(() => action(name)));
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  if (readState()?.phase === 'starting')
    process.stderr.write('Logs: node e2e/lab/main.ts logs. Clean up: … down\n');
  process.exitCode = 1;
}
