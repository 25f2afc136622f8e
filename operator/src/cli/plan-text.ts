/** A plan for people, and its totals. Pure. */
import type { Style } from './io.ts';
import type { ObjectChange } from './plan-objects.ts';
import type { PlatformPlan } from './plan-platform.ts';
import type { TopicChange, TopicsPlan } from './plan-topics.ts';
import { yamlText } from './output.ts';

/** How many of each; a part of the output of `causeway plan -o json`. */
export interface PlanSummary {
  create: number;
  change: number;
  delete: number;
  /** `change` counts topics, also when their partitions and their settings change. */
  topics: { create: number; change: number; delete: number; refused: number };
}

/** Totals over platforms. */
export function summarize(plans: readonly PlatformPlan[]): PlanSummary {
  const objects = plans.flatMap((plan) => plan.objects);
  const count = (action: ObjectChange['action']): number =>
    objects.filter((object) => object.action === action).length;
  const topics = (...actions: TopicChange['action'][]): number => {
    const names = plans.flatMap((plan) =>
      plan.topics.changes
        .filter((change) => actions.includes(change.action))
        .map(({ topic }) => `${plan.namespace}/${topic}`),
    );
    return new Set(names).size;
  };
  return {
    create: count('create'),
    change: count('change'),
    delete: count('delete'),
    topics: {
      create: topics('create'),
      change: topics('grow', 'alter'),
      delete: topics('delete'),
      refused: topics('refuse'),
    },
  };
}

/** True when carrying out the plan would change something. */
export function hasChanges({ create, change, delete: gone, topics }: PlanSummary): boolean {
  return create + change + gone + topics.create + topics.change + topics.delete > 0;
}

/** The last line. */
export function summaryLine(summary: PlanSummary): string {
  const { create, change, delete: gone, topics } = summary;
  const refused = topics.refused === 0 ? '' : `, ${topics.refused} refused`;
  return (
    `Plan: ${create} to create, ${change} to change, ${gone} to delete; ` +
    `topics: ${topics.create} to create, ${topics.change} to change, ${topics.delete} to delete${refused}.`
  );
}

/** One platform. `full`: with the objects that would be made. */
export function planText(plan: PlatformPlan, style: Style, full: boolean): string {
  const sections = [
    style.bold(`MessagePlatform ${plan.namespace}/${plan.name}`),
    objectsText(plan.objects, style, full),
    topicsText(plan.topics, style),
    listText(
      'Will not work yet:',
      plan.problems.map(({ part, message }) => `${part}: ${message}`),
      style.bad,
    ),
    listText('Note:', plan.notes, style.wait),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function listText(title: string, lines: readonly string[], paint: (text: string) => string): string {
  if (lines.length === 0) return '';
  return [title, ...lines.map((line) => paint(`  ! ${line}`))].join('\n');
}

const SIGN = { create: '+', change: '~', delete: '-' } as const;

function objectsText(objects: readonly ObjectChange[], style: Style, full: boolean): string {
  if (objects.length === 0) return 'Objects: as they should be.';
  const widest = Math.max(...objects.map(({ kind }) => kind.length));
  const paint = { create: style.good, change: style.wait, delete: style.bad };
  const lines = objects.map((object) => {
    const { action, kind, name, reason } = object;
    const why = reason === undefined || action === 'delete' ? '' : `  (${reason})`;
    const head = paint[action](`  ${SIGN[action]} ${kind.padEnd(widest)}  ${name}${why}`);
    return [head, ...detail(object, full).map((line) => paintDiff(line, style))].join('\n');
  });
  return ['Objects:', ...lines].join('\n');
}

const INDENT = '      ';

function detail({ action, diff, object }: ObjectChange, full: boolean): string[] {
  if (diff !== undefined) return linesOf(diff);
  if (action !== 'create' || !full || object === undefined) return [];
  return linesOf(yamlText(object)).map((line) => `+${line}`);
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}

function paintDiff(line: string, style: Style): string {
  const text = `${INDENT}${line}`.trimEnd();
  if (line.startsWith('+')) return style.good(text);
  if (line.startsWith('-')) return style.bad(text);
  return line.startsWith('@@') ? style.dim(text) : text;
}

function topicsText({ source, note, changes }: TopicsPlan, style: Style): string {
  const title =
    source === 'kafka'
      ? 'Topics:'
      : 'Topics (Kafka was not looked at: compared with what the platform’s status says of them):';
  const lines = changes.map((change) => topicLine(change, style));
  const head = changes.length === 0 ? `${title} as they should be.` : title;
  return [head, ...lines, ...(note === undefined ? [] : [style.wait(`  ! ${note}`)])].join('\n');
}

function topicLine(change: TopicChange, style: Style): string {
  const { topic } = change;
  switch (change.action) {
    case 'create': {
      const config = Object.entries(change.config).map(([key, value]) => `, ${key}=${value}`);
      const { partitions, replicationFactor } = change;
      return style.good(
        `  + ${topic}  (${counted(partitions, 'partition')}, ${counted(replicationFactor, 'replica')}${config.join('')})`,
      );
    }
    case 'grow':
      return style.wait(`  ~ ${topic}  (partitions ${change.partitions.from} → ${change.partitions.to})`);
    case 'alter': {
      const each = Object.entries(change.config).map(
        ([key, { from, to }]) => `${key} ${from ?? 'default'} → ${to ?? 'default'}`,
      );
      return style.wait(`  ~ ${topic}  (${each.join(', ')})`);
    }
    case 'delete':
      return style.bad(`  - ${topic}  (with all that is in it)`);
    case 'refuse':
      return style.bad(`  ! ${topic}  ${change.message}`);
    default:
      throw new TypeError(`no such change: ${JSON.stringify(change)}`);
  }
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
