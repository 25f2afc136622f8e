/**
 * e2e/testing: runs all tests, stage by stage: `node e2e/testing/main.ts check unit int lab`. Its last line is
 * `N passed, N failed`. Imports only Node and commander; the lab is used through its command.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { levelOf, testFiles, type Stage } from './files.ts';
import { aroundLab, prepareMachine } from './lab-stage.ts';
import { runFiles, type Count, type FileCoverage } from './run-files.ts';

const root = join(import.meta.dirname, '../..');
const STAGES = ['check', 'unit', 'int', 'lab'] as const;
type AnyStage = (typeof STAGES)[number];

/** What `make check` is made of; each counts as one test. */
const CHECKS: readonly { name: string; command: string[] }[] = [
  { name: 'format (prettier)', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'types (tsc)', command: ['tsc', '-p', '.'] },
  { name: 'lint (oxlint)', command: ['oxlint', '--quiet'] },
  { name: 'generated files (crds)', command: ['node', 'crds/scripts/generate.ts', '--check'] },
  {
    name: 'dependency directions (dependency-cruiser)',
    command: [
      'depcruise',
      '--config',
      '.dependency-cruiser.mjs',
      '--output-type',
      'err',
      'crds',
      'operator',
      'gateway',
      'e2e',
    ],
  },
  { name: 'dead code (knip)', command: ['knip', '--no-progress'] },
];

interface Options {
  level: string;
  only?: string;
  coverage: boolean;
  keepLab: boolean;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function check(): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, command } of CHECKS) {
    const [program = '', ...args] = command;
    const began = Date.now();
    const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    const ok = result.status === 0;
    say(`${ok ? '✔' : '✖'} ${name} (${seconds}s)`);
    if (!ok) say(`${result.error?.message ?? ''}${result.stdout}${result.stderr}`.trimEnd());
    count[ok ? 'passed' : 'failed'] += 1;
  }
  return count;
}

async function runStage(stage: AnyStage, options: Options): Promise<Count & { coverage?: FileCoverage[] }> {
  if (stage === 'check') return check();
  if (stage !== 'lab') return runTests(stage, options);
  return aroundLab(options.keepLab, () => runTests(stage, options));
}

function runTests(stage: Stage, options: Options): Promise<Count & { coverage?: FileCoverage[] }> {
  return runFiles(filesOf(stage, options), {
    cwd: root,
    concurrency: stage === 'unit' ? 2 : 1,
    timeoutMs: stage === 'lab' ? 1_200_000 : 480_000,
    coverage: options.coverage && stage !== 'lab',
    ...(options.only === undefined ? {} : { namePattern: options.only }),
  });
}

function filesOf(stage: Stage, options: Options): string[] {
  const files = testFiles(stage, root);
  return stage === 'lab' ? files.filter((file) => levelOf(file) <= Number(options.level)) : files;
}

/** Lines covered by each top folder's tests; a file that several stages touch counts with its best. */
function reportCoverage(files: readonly FileCoverage[]): void {
  const best = new Map<string, FileCoverage>();
  for (const file of files) {
    const path = relative(root, file.path);
    if ((best.get(path)?.covered ?? -1) < file.covered) best.set(path, { ...file, path });
  }
  const folders = Map.groupBy(best.values(), ({ path }) =>
    path
      .split('/')
      .slice(0, 3)
      .join('/')
      .replace(/\/[^/]*\.ts$/, ''),
  );
  if (folders.size === 0) return;
  say('\nLine coverage (the larger of unit and integration, for each file)');
  for (const [folder, members] of [...folders].sort(([a], [b]) => a.localeCompare(b))) {
    const lines = members.reduce((sum, file) => sum + file.lines, 0);
    const covered = members.reduce((sum, file) => sum + file.covered, 0);
    say(`  ${folder.padEnd(32)} ${((100 * covered) / lines).toFixed(1).padStart(5)} %  of ${lines} lines`);
  }
  mkdirSync(join(root, 'coverage'), { recursive: true });
  writeFileSync(join(root, 'coverage/lines.json'), JSON.stringify([...best.values()], null, 2));
}

async function main(stages: AnyStage[], options: Options): Promise<void> {
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const coverage: FileCoverage[] = [];
  // Said before anything starts: nobody should wait for the checks to hear that Java is missing.
  const real = { int: stages.includes('int'), lab: stages.includes('lab') };
  if ((real.int || real.lab) && !prepareMachine(real)) {
    say('\n0 passed, 1 failed');
    process.exitCode = 1;
    return;
  }
  for (const stage of stages) {
    const began = Date.now();
    say(`\n── ${stage} ${'─'.repeat(70 - stage.length)}`);
    const result = await runStage(stage, options);
    coverage.push(...(result.coverage ?? []));
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
    say(
      `── ${stage}: ${result.passed} passed, ${result.failed} failed in ${Math.round((Date.now() - began) / 1000)} s`,
    );
  }
  reportCoverage(coverage);
  if (total.skipped > 0) say(`\n${total.skipped} skipped, each with its reason above`);
  say(`\n${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

await new Command('testing')
  .description('run the tests, stage by stage; exit code 1 when one fails or none ran')
  .addArgument(new Argument('<stages...>', 'what to run').choices(STAGES))
  .addOption(
    new Option('--level <level>', 'scenarios up to this level')
      .choices(['0', '1', '2', '3', '4'])
      .default('1'),
  )
  .option('--only <pattern>', 'only tests whose name matches this regular expression')
  .option('--coverage', 'measure line coverage', false)
  .option(
    '--keep-lab',
    'leave the lab up after its scenarios (one that was up before stays in any case)',
    false,
  )
  .addHelpText(
    'after',
    '\nExamples:\n  node e2e/testing/main.ts unit\n  node e2e/testing/main.ts lab --level 4 --only "operator is killed"',
  )
  .action(main)
  .parseAsync();
