/** `causeway status`: how platforms are, for people and for programs. Only reads. */
import type { Command } from 'commander';
import {
  abortable,
  EVENT_KIND,
  Informer,
  systemClock,
  type KubeApi,
  type KubeEvent,
} from '../controller/index.ts';
import { KIND, type MessagePlatform } from '../platform/index.ts';
import {
  addClusterOptions,
  isForbidden,
  noSuchPlatform,
  withCluster,
  type Cluster,
  type ClusterOptions,
} from './connect.ts';
import { processIo, styleOf, type Io } from './io.ts';
import { machineText, outputOption, type OutputFormat } from './output.ts';
import { mayBeOld, Screen } from './screen.ts';
import { untilSignal } from './signals.ts';
import { listText, statusText } from './status-text.ts';
import { statusView, type StatusView } from './status-view.ts';

/** What `causeway status` is told. */
export interface StatusOptions extends ClusterOptions {
  allNamespaces?: boolean;
  output: OutputFormat;
  watch?: boolean;
}

const EXAMPLES = `
Examples:
  # One platform, in full
  causeway status orders -n messaging

  # Follow it while it comes up; Ctrl-C ends it
  causeway status orders -n messaging --watch

  # All platforms of the cluster
  causeway status -A

  # For programs
  causeway status orders -n messaging -o json | jq -r .ready

Lines that are not as they should be begin with ! (somebody must do something) or ~ (it is being worked on).

Exit codes: 0 shown, however the platform is, or it is gone · 1 failed, or there is no such platform · 130 Ctrl-C, 143 SIGTERM`;

/** Adds the command `status`. */
export function registerStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show how a MessagePlatform is, or all of them')
    .argument('[name]', 'the platform; left out: all of the namespace')
    .option('-A, --all-namespaces', 'all platforms of all namespaces')
    .addOption(outputOption('table'))
    .option('-w, --watch', 'show it again upon each change, until Ctrl-C');
  addClusterOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, options: StatusOptions) => {
      process.exitCode = await untilSignal(async (signal) => {
        await runStatus(name, options, { io: processIo(), signal });
        return 0;
      });
    });
}

/** What to show: one platform, or those of a namespace, or all. */
interface Scope {
  name: string | undefined;
  /** Undefined: all namespaces. */
  namespace: string | undefined;
}

/** What was read. */
interface Seen {
  platforms: MessagePlatform[];
  /** Undefined: they may not be read, or nobody asked for them. */
  events: KubeEvent[] | undefined;
}

interface Session {
  io: Io;
  /** Ends the command. */
  signal: AbortSignal;
}

/** Prints the status, once or upon each change. Throws when it cannot be read, or when there is no such platform. */
export async function runStatus(
  name: string | undefined,
  options: StatusOptions,
  session: Session,
): Promise<void> {
  if (name !== undefined && options.allNamespaces === true)
    throw new Error('-A shows all platforms: leave out the name, or choose a namespace with -n.');
  await withCluster(options, async (cluster) => {
    const scope = { name, namespace: options.allNamespaces === true ? undefined : cluster.namespace };
    session.signal.throwIfAborted();
    const seen = await abortable(read(cluster.api, scope), session.signal);
    if (options.watch === true) await follow(cluster, { scope, seen, options, session });
    else session.io.out(render(seen, scope, { options, io: session.io, now: session.io.now() }));
  });
}

async function read(api: Pick<KubeApi, 'list'>, { name, namespace }: Scope): Promise<Seen> {
  const within = namespace === undefined ? {} : { namespace };
  if (name === undefined) {
    const { items } = await api.list<MessagePlatform>(KIND.platform, within);
    return { platforms: items, events: undefined };
  }
  const only = { ...within, fieldSelector: `metadata.name=${name}` };
  const { items } = await api.list<MessagePlatform>(KIND.platform, only);
  if (items.length === 0) throw noSuchPlatform(name, namespace);
  return { platforms: items, events: await readEvents(api, { name, namespace }) };
}

async function readEvents(
  api: Pick<KubeApi, 'list'>,
  { name, namespace }: Scope,
): Promise<KubeEvent[] | undefined> {
  try {
    const fieldSelector = `regarding.kind=MessagePlatform,regarding.name=${name}`;
    const { items } = await api.list<KubeEvent>(EVENT_KIND, {
      fieldSelector,
      ...(namespace === undefined ? {} : { namespace }),
    });
    return items;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

interface Rendering {
  options: Pick<StatusOptions, 'output' | 'watch'>;
  io: Io;
  /** Milliseconds since the epoch: ages are told as of then. */
  now: number;
}

function render({ platforms, events }: Seen, scope: Scope, { options, io, now }: Rendering): string {
  const views = platforms
    .map((platform) => statusView(platform, events, now))
    .sort((a, b) => `${a.namespace}/${a.name}`.localeCompare(`${b.namespace}/${b.name}`));
  if (options.output !== 'text') {
    const [view] = views;
    const value: StatusView | { platforms: StatusView[] } | undefined =
      scope.name === undefined ? { platforms: views } : view;
    return machineText(value, options.output, options.watch);
  }
  const text = { style: styleOf(io), width: io.terminal?.columns, now };
  if (scope.name === undefined) {
    if (views.length > 0) return listText(views, { ...text, namespaces: scope.namespace === undefined });
    const where = scope.namespace === undefined ? 'any namespace' : `namespace ${scope.namespace}`;
    const hint = scope.namespace === undefined ? '' : ' -A looks in all of them.';
    return `There is no MessagePlatform in ${where}.${hint}\n`;
  }
  return views.map((view) => statusText(view, text)).join('\n');
}

/** Changes that come together are shown together, milliseconds. */
const SETTLE_MS = 100;
/** On a terminal ages go on, milliseconds. */
const REDRAW_MS = 5_000;
/** The API server speaks about once a minute, if only to say that nothing happened. */
const SILENT_MS = 90_000;

async function follow(
  { api }: Cluster,
  { scope, seen, options, session }: { scope: Scope; seen: Seen; options: StatusOptions; session: Session },
): Promise<void> {
  const { io, signal } = session;
  const namespaces = scope.namespace === undefined ? [] : [scope.namespace];
  const settings = { api, clock: systemClock, namespaces };
  const platforms = new Informer<MessagePlatform>({ ...settings, kind: KIND.platform });
  const wantsEvents = scope.name !== undefined && seen.events !== undefined;
  const events = wantsEvents ? new Informer<KubeEvent>({ ...settings, kind: EVENT_KIND }) : undefined;

  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const running = Promise.all([platforms.run(stop), events?.run(stop)]);
  // Programs get whole documents, also those that a person tries on a terminal.
  const screen = new Screen(options.output === 'text' ? io : { ...io, terminal: undefined });
  const draw = (): void => {
    const all = platforms.list();
    const shown = all.filter(({ metadata }) => scope.name === undefined || metadata.name === scope.name);
    if (scope.name !== undefined && shown.length === 0) {
      screen.close();
      io.err(`MessagePlatform ${scope.namespace}/${scope.name} is gone.\n`);
      ended.abort();
      return;
    }
    const what = { platforms: shown, events: events?.list() };
    screen.show((now) => silence(platforms) + render(what, scope, { options, io, now }));
  };
  if (await inTime(Promise.all([platforms.whenSynced(stop), events?.whenSynced(stop)]), stop)) {
    draw();
    await redrawUntil(stop, { draw, informers: [platforms, events], io });
  }
  screen.close();
  await running;
}

/** True when `work` is done before `stop` aborts. */
async function inTime(work: Promise<unknown>, stop: AbortSignal): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}

/** An informer, as far as it only matters that something changed. */
interface Changing {
  onChange(handlers: Record<'add' | 'update' | 'delete', () => void>): () => void;
}

async function redrawUntil(
  stop: AbortSignal,
  {
    draw,
    informers,
    io,
  }: {
    draw: () => void;
    informers: (Changing | undefined)[];
    io: Io;
  },
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      draw();
    }, SETTLE_MS);
  };
  const ends = informers.map((informer) => informer?.onChange({ add: soon, update: soon, delete: soon }));
  const redraw = io.terminal === undefined ? undefined : setInterval(draw, REDRAW_MS);
  await whenAborted(stop);
  for (const end of ends) end?.();
  clearInterval(redraw);
  clearTimeout(timer);
}

/** What is on the screen may be old when the API server says nothing: then that comes first. */
function silence(informer: Informer<MessagePlatform>): string {
  const ms = informer.stalenessMs();
  return ms < SILENT_MS ? '' : `${mayBeOld(ms)}\n\n`;
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
