/** `causeway plan`: what applying a file would change, in the cluster and in Kafka. Changes nothing. */
import type { Command } from 'commander';
import { KafkaJsAdmin, type Images } from '../platform/index.ts';
import { addClusterOptions, concernsWholeCluster, withCluster, type ClusterOptions } from './connect.ts';
import { addImageOptions, askedImages, imagesOf, type ImageOptions } from './image-options.ts';
import { processIo, styleOf, type Io } from './io.ts';
import { machineText, outputOption, type OutputFormat } from './output.ts';
import { messageOf } from './plan-cluster.ts';
import { readManifests, type Manifests, type PlatformFile } from './plan-files.ts';
import { operatorImages } from './plan-images.ts';
import { planPlatform, type PlanWorld, type PlatformPlan } from './plan-platform.ts';
import { hasChanges, planText, summarize, summaryLine, type PlanSummary } from './plan-text.ts';

/** What `causeway plan` is told. */
export interface PlanOptions extends ClusterOptions {
  filename: string[];
  output: OutputFormat;
  kafka: boolean;
  full?: boolean;
  exitCode?: boolean;
  /** Images that were asked for by option or by variable, and those to fall back on. */
  images: { asked: Partial<Images>; defaults: Images };
}

/** What `causeway plan -o json` prints. Fields are only ever added. */
export interface PlanOutput {
  platforms: (PlatformPlan | { namespace: string; name: string; error: string })[];
  /** Documents that are no MessagePlatform, as `Kind name`. */
  skipped: string[];
  summary: PlanSummary;
}

const EXAMPLES = `
Examples:
  # What would this file change?
  causeway plan -f orders.yaml

  # In a pipeline: fail when the cluster is not as the repository says
  kustomize build . | causeway plan -f - --exit-code

  # Without asking Kafka, for programs
  causeway plan -f orders.yaml --no-kafka -o json

It changes nothing: every write to the API server is a dry run, and Kafka is only read.
Images are those of the operator in the cluster; the options are for when it cannot be found.

Exit codes: 0 planned (with --exit-code: and nothing would change) · 1 failed · 2 with --exit-code: something would change`;

/** Adds the command `plan`. */
export function registerPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('show what applying a MessagePlatform would change, and change nothing')
    .requiredOption(
      '-f, --filename <path>',
      'file or directory with MessagePlatforms, - for standard input; may be repeated',
      (path: string, before: string[] | undefined) => [...(before ?? []), path],
    )
    .addOption(outputOption('text'))
    .option('--full', 'print the objects that would be created, too')
    .option('--no-kafka', 'do not ask Kafka; compare topics with the platform’s status')
    .option('--exit-code', 'exit with 2 when something would change');
  addClusterOptions(command);
  addImageOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Omit<PlanOptions, 'images'> & ImageOptions) => {
      const images = { asked: askedImages(command, options), defaults: imagesOf(options) };
      process.exitCode = await runPlan({ ...options, images }, processIo());
    });
}

/** Plans, prints, and gives the exit code. Throws when nothing could be planned at all. */
export async function runPlan(options: PlanOptions, io: Io): Promise<number> {
  return withCluster(options, async ({ api, namespace, dryRun }) => {
    const stdin = options.filename.includes('-') ? await io.stdin() : undefined;
    const rule = { fallback: namespace, required: options.namespace };
    const manifests = readManifests(options.filename, stdin, rule);
    const kafka = options.kafka ? new KafkaJsAdmin() : undefined;
    try {
      const operator = await operatorImages(api);
      const images = { ...options.images, operator };
      const world = { api, dryRun, kafka, images, now: () => io.now() };
      return await planAll(world, manifests, { options, io });
    } finally {
      await kafka?.close();
    }
  });
}

async function planAll(
  world: PlanWorld,
  manifests: Manifests,
  { options, io }: { options: PlanOptions; io: Io },
): Promise<number> {
  const style = styleOf(io);
  const isText = options.output === 'text';
  const plans: PlatformPlan[] = [];
  const output: PlanOutput['platforms'] = [];
  for (const file of manifests.platforms) {
    const plan = await tryPlan(world, file, manifests);
    output.push(plan);
    if ('error' in plan) {
      io.err(`error: MessagePlatform ${plan.namespace}/${plan.name}: ${plan.error}\n`);
      continue;
    }
    plans.push(plan);
    if (isText) io.out(`${planText(plan, style, options.full === true)}\n`);
  }
  const summary = summarize(plans);
  const failed = output.length > plans.length;
  if (options.output !== 'text') {
    io.out(
      machineText(
        { platforms: output, skipped: manifests.skipped, summary } satisfies PlanOutput,
        options.output,
      ),
    );
  } else if (plans.length > 0) {
    if (manifests.skipped.length > 0)
      io.out(
        style.dim(`Skipped, since only MessagePlatforms are planned: ${manifests.skipped.join(', ')}.\n`),
      );
    io.out(`${style.bold(summaryLine(summary))}\n`);
  }
  if (failed) return 1;
  return options.exitCode === true && hasChanges(summary) ? 2 : 0;
}

/** One platform's refusal does not keep the others from being planned; a cluster that is not there does. */
async function tryPlan(
  world: PlanWorld,
  file: PlatformFile,
  manifests: Manifests,
): Promise<PlatformPlan | { namespace: string; name: string; error: string }> {
  const { namespace, name } = file.metadata;
  try {
    return await planPlatform(world, file, manifests);
  } catch (error) {
    if (concernsWholeCluster(error)) throw error;
    return { namespace, name, error: messageOf(error) };
  }
}
