/** `causeway failover report`: what became of a failover, to be sent to others. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { addClusterOptions, withCluster, type ClusterOptions } from './connect.ts';
import { failoverNamed } from './failover-named.ts';
import { processIo, type Io } from './io.ts';
import { machineText } from './output.ts';
import { htmlOf } from './report/html.ts';
import { markdownOf } from './report/markdown.ts';
import { parseMeasurements, type Measurements } from './report/measurements.ts';
import { reportOf, type FailoverReport } from './report/report.ts';

const FORMATS = ['markdown', 'json', 'html'] as const;
type Format = (typeof FORMATS)[number];

/** What `causeway failover report` is told. */
export interface ReportOptions extends ClusterOptions {
  output?: Format;
  file?: string;
  measurements?: string;
}

const EXAMPLES = `
Examples:
  # For the terminal, a pull request, a chat
  causeway failover report drill-2026-11

  # One page with charts, to be sent to the team: it needs nothing else, and no script
  causeway failover report drill-2026-11 -n messaging --file drill.html

  # With what clients measured, a JSON object: reconnectSeconds and blackoutSeconds (lists of seconds, one for each
  # client), acknowledged, lost, duplicated (publications). What is left out is said to be not measured
  causeway failover report drill-2026-11 --measurements clients.json --file drill.html

  # For programs
  causeway failover report drill-2026-11 -o json | jq '.figures.homelessMs'

One that is still under way can be reported too; the report says so.

Exit codes: 0 written, however the failover ended · 1 failed, or there is no such ZoneFailover`;

/** Adds the command `report` to `failover`. */
export function registerReport(failover: Command): void {
  const report = failover
    .command('report')
    .description('write what became of it: as text, for programs, or as a page with charts')
    .argument('<name>', 'the ZoneFailover')
    .addOption(
      new Option(
        '-o, --output <format>',
        "markdown, json or html; default: by the file's ending (.md, .json, .html), else markdown",
      ).choices(FORMATS),
    )
    .option('--file <file>', 'write there, not to standard output')
    .option('--measurements <file>', 'what clients measured during it, as JSON')
    .addHelpText('after', EXAMPLES);
  addClusterOptions(report).action(async (name: string, options: ReportOptions) => {
    await runReport(name, options, processIo());
  });
}

/** Writes the report. Throws when there is no such failover, or a file cannot be read or written. */
export async function runReport(name: string, options: ReportOptions, io: Io): Promise<void> {
  // What is wrong with the call is said before the cluster is asked.
  const format = formatOf(options);
  await assertFolder(options.file);
  const measurements = await measurementsOf(options.measurements);
  const failover = await withCluster(options, (cluster) => failoverNamed(cluster, name));
  const report = reportOf(failover, { now: io.now(), measurements });
  const text = rendered(report, format);
  if (options.file === undefined) {
    io.out(text);
    return;
  }
  await writeFile(options.file, text);
  io.out(`Wrote ${options.file} (${Math.ceil(Buffer.byteLength(text) / 1024)} KiB).\n`);
}

function rendered(report: FailoverReport, format: Format): string {
  if (format === 'json') return machineText(report, 'json');
  return format === 'html' ? htmlOf(report) : markdownOf(report);
}

const ENDINGS: Readonly<Record<string, Format>> = {
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
  '.json': 'json',
};

/** What was said, or what the name of the file says. Throws for a name that says nothing that is known. */
export function formatOf({ output, file }: Pick<ReportOptions, 'output' | 'file'>): Format {
  if (output !== undefined || file === undefined) return output ?? 'markdown';
  const format = ENDINGS[extname(file).toLowerCase()];
  if (format !== undefined) return format;
  throw new Error(
    `what ${file} is to be is not known by its name: call it .md, .html or .json, or say it with -o.`,
  );
}

async function assertFolder(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const folder = dirname(resolve(file));
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found?.isDirectory() !== true)
    throw new Error(`there is no folder ${folder} for ${basename(file)}: make it first.`);
}

/** Bytes of a file of measurements at most: a million clients have 20 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

async function measurementsOf(file: string | undefined): Promise<Measurements> {
  if (file === undefined) return {};
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw new Error(`${file} has ${size} bytes; measurements may have ${MAX_BYTES}.`);
  return parseMeasurements(await readFile(file, 'utf8'), file);
}
