/** Dependency directions. Each rule says in its comment what to do instead. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '\\.test\\.ts$|/testing/' },
  to: { path: '^(crds|operator|gateway|e2e)/', pathNot: allowed },
});

export default {
  forbidden: [
    only(
      'controller-stands-alone',
      '^operator/src/controller/',
      '^operator/src/controller/',
      'The engine knows no MessagePlatform: move what needs one to platform/.',
    ),
    only(
      'certificates-over-controller',
      '^operator/src/certificates/',
      '^(operator/src/(certificates|controller)|crds)/',
      'certificates/ knows no MessagePlatform: pass it what it needs.',
    ),
    only(
      'failover-over-controller',
      '^operator/src/failover/',
      '^(operator/src/(failover|controller)|crds)/',
      'failover/ knows no MessagePlatform: what it needs of one is in its ports.',
    ),
    only(
      'schedules-over-failover',
      '^operator/src/schedules/',
      '^(operator/src/(schedules|failover|controller)|crds)/',
      'schedules/ knows no MessagePlatform: what it needs of one is in its ports.',
    ),
    only(
      'platform-over-parts',
      '^operator/src/platform/',
      '^(operator/src/(platform|certificates|schedules|failover|controller)|crds)/',
      'platform/ is used by the command line and the simulator, and knows neither.',
    ),
    only('operator-apart', '^operator/', '^(operator|crds)/', 'Operator and gateway share only crds/.'),
    only('gateway-apart', '^gateway/', '^(gateway|crds)/', 'Operator and gateway share only crds/.'),
    only('crds-below-all', '^crds/', '^crds/', 'crds/ is the contract: nothing of ours is below it.'),
    {
      name: 'sim-is-a-leaf',
      comment: 'The simulator is for tests.',
      severity: 'error',
      from: { path: '^operator/src/', pathNot: '^operator/src/sim/' },
      to: { path: '^operator/src/sim/' },
    },
    {
      name: 'opentelemetry-only-when-on',
      comment: 'A gateway without tracing must not load OpenTelemetry: go through tracing/start.ts.',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/src/tracing/open-telemetry/|\\.test\\.ts$' },
      to: { path: '^gateway/src/tracing/open-telemetry/', dynamic: false },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one, or need a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'This import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist)(/|$)' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
