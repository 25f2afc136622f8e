/** Runs a scenario: step by step, each until it has settled, and then five minutes in which nothing may be written. */
import { Chaos } from './chaos.ts';
import { crashAt } from './network.ts';
import { Random } from './random.ts';
import { isReady, type Scenario } from './scenarios.ts';
import { finalState, type State } from './state.ts';
import { createPlatform, emptyWorld, World, type WorldOptions, type WorldSnapshot } from './world.ts';

/** What goes wrong in a run; nothing: the run that the others are compared with. */
export type Faults =
  | { kind: 'none' }
  /** The operator dies at its n-th call that changes something. */
  | { kind: 'crash'; at: number; when: 'before' | 'after' }
  /** All that can go wrong, from a seed. */
  | { kind: 'chaos'; seed: number };

export interface RunResult {
  state: State;
  /** The scenario has several good ends. */
  mayTurnBack: boolean;
  /** Calls that change something, that the operators made. */
  mutations: number;
  /** What should not have happened. */
  problems: string[];
  trace: readonly string[];
}

/** No write for so long: it has settled. Milliseconds. */
const QUIET_MS = 8_000;
/** The same after chaos: a watch that failed often is tried again only after a minute. */
const QUIET_AFTER_CHAOS_MS = 130_000;
/** A step that takes longer never ends. The longest waits (backoff, a watch that stalls) fit in. Milliseconds. */
const PATIENCE_MS = 20 * 60_000;
const STEADY_MS = 5 * 60_000;

export async function run(
  scenario: Scenario,
  faults: Faults,
  options: { trace?: boolean } = {},
): Promise<RunResult> {
  const chaos =
    faults.kind === 'chaos'
      ? new Chaos(new Random(`${scenario.name}/${faults.seed}`), scenario.takesAway !== true)
      : undefined;
  const world = await worldOf(scenario, { ...options, ...chaos?.worldOptions });
  const problems: string[] = [];
  for (let n = 0; n < (chaos?.operators ?? 1); n += 1) world.startOperator();
  await rest(world, 3_000);
  if (world.network.mutations > 0)
    problems.push('an operator that starts at a platform that is ready wrote something');
  if (faults.kind === 'crash') world.network.setPlan(crashAt(faults.at, faults.when));
  const quietMs = chaos === undefined ? QUIET_MS : QUIET_AFTER_CHAOS_MS;
  for (const step of scenario.steps) {
    world.trace.add(() => `— ${step.name}`);
    step.act(world);
    await chaos?.reign(world);
    // Whoever stood still, or was cut off, has written nothing either: quiet counts from when it could have.
    const calm = world.time.now;
    const settled = (): boolean =>
      step.isDone(world) && isQuiet(world, quietMs) && world.time.now - calm >= quietMs;
    const isOver = (): boolean => settled() || world.network.isStorming;
    await world.time.run(isOver, world.time.now + PATIENCE_MS);
    if (settled()) continue;
    if (world.network.isStorming) problems.push('the operator writes without end');
    problems.push(`"${step.name}" did not settle: ${whyNot(world)}`);
    break;
  }
  if (problems.length === 0) problems.push(...(await staysSettled(world)));
  return {
    state: finalState(world),
    mayTurnBack: scenario.mayTurnBack === true,
    mutations: world.network.mutations,
    problems: [...problems, ...world.violations],
    trace: world.trace.lines,
  };
}

async function rest(world: World, ms: number): Promise<void> {
  await world.time.run(() => false, world.time.now + ms);
}

function isQuiet(world: World, ms = QUIET_MS): boolean {
  return world.time.now - world.network.lastWrite >= ms && world.operators.size > 0;
}

function whyNot(world: World): string {
  const { platform } = world;
  if (platform === undefined) return 'the platform is gone, and something of it is left';
  const ready = platform.status?.conditions?.find(({ type }) => type === 'Ready');
  const sinceMs = world.time.now - world.network.lastWrite;
  return `generation ${platform.metadata.generation}, observed ${platform.status?.observedGeneration}, last write ${sinceMs} ms ago, Ready: ${ready?.message ?? 'not said'}`;
}

/** At steady state the operator writes nothing at all, however often it looks. */
async function staysSettled(world: World): Promise<string[]> {
  const before = world.network.writes;
  await rest(world, STEADY_MS);
  const writes = world.network.writes - before;
  return writes === 0 ? [] : [`${writes} writes in five minutes at steady state`];
}

const bases = new Map<string, Promise<WorldSnapshot>>();

async function worldOf({ base }: Scenario, options: WorldOptions): Promise<World> {
  if (base === 'empty') return emptyWorld(options);
  const made = bases.get(base.name) ?? makeBase(base);
  bases.set(base.name, made);
  return new World({ ...options, from: await made });
}

/** A world with a platform that has been ready for a while; made once, and begun from again and again. */
async function makeBase(base: Exclude<Scenario['base'], 'empty'>): Promise<WorldSnapshot> {
  const world = emptyWorld();
  createPlatform(world, base.change);
  world.startOperator();
  const settled = await world.time.run(() => isReady(world) && isQuiet(world), world.time.now + PATIENCE_MS);
  if (!settled || world.violations.length > 0) {
    throw new Error(
      `the platform to begin with is not ready: ${whyNot(world)} ${world.violations.join('; ')}`,
    );
  }
  return world.snapshot();
}
