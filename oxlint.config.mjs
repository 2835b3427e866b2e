// Lint rules, and the arrows between the folders of each package's src (see ARCHITECTURE.md).

/** Modules without sockets, files, processes or clocks: usable in pure policy. */
const pureModules = [
  'node:async_hooks',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:util',
  'node:zlib',
  '@standard-schema/spec',
  'croner',
  'zod',
];

/**
 * Who may import whom. A folder may always import itself; whatever is not listed is refused. A file
 * among the folders stands for itself alone.
 */
const arrows = [
  { folder: 'core', folders: [], modules: pureModules },
  {
    // The model that histories are compared with is the memory driver.
    folder: 'testing',
    folders: ['core', 'drivers/memory'],
    modules: [...pureModules, 'node:assert', 'fast-check'],
  },
  { folder: 'drivers/*', folders: ['core'], modules: pureModules },
  {
    folder: 'drivers/lmdb',
    folders: ['core'],
    modules: [...pureModules, 'lmdb', 'node:fs', 'node:os', 'node:path', 'node:url'],
  },
  {
    folder: 'drivers/postgres',
    folders: ['core'],
    modules: [...pureModules, 'node:fs', 'node:path', 'node:url', 'pg'],
  },
  {
    folder: 'drivers/redis',
    folders: ['core'],
    modules: [...pureModules, 'ioredis', 'node:fs', 'node:path', 'node:url'],
  },
  {
    folder: 'drivers/remote',
    folders: ['core'],
    modules: [...pureModules, 'node:net', 'ws'],
  },
];

const sources = 'packages/wherry/src';
const serverSources = 'packages/server/src';
const depths = [0, 1, 2];

/**
 * The same for the server. It has the library by its name, which gives it the policy; a driver is
 * nobody's business but the library's.
 */
const serverArrows = [
  { folder: 'protocols/*', folders: ['closest-name.ts'], modules: [...pureModules, 'wherry'] },
  { folder: 'access', folders: [], modules: [...pureModules, 'node:net', 'wherry'] },
  {
    folder: 'vhosts',
    folders: ['access'],
    modules: [...pureModules, 'wherry', 'node:fs', 'node:path'],
  },
  {
    folder: 'alarms',
    folders: [],
    modules: [...pureModules, 'node:fs', 'node:os', 'node:v8', 'node:vm'],
  },
  {
    folder: 'telemetry',
    folders: ['config'],
    modules: [...pureModules, 'wherry', 'node:perf_hooks', 'node:stream', 'pino', 'prom-client'],
  },
  {
    folder: 'config',
    folders: ['access', 'closest-name.ts'],
    modules: [...pureModules, 'wherry', 'node:fs', 'node:path', 'yaml'],
  },
  {
    folder: 'servers/amqp',
    folders: [
      'protocols/amqp',
      'protocols/management',
      'access',
      'config/config.ts',
      'vhosts',
      'telemetry',
    ],
    modules: [...pureModules, 'wherry', 'node:net', 'node:timers', 'node:tls'],
  },
  {
    folder: 'servers/http',
    folders: [
      'protocols/http',
      'protocols/management',
      'access',
      'alarms',
      'config/config.ts',
      'vhosts',
      'telemetry',
    ],
    modules: [
      ...pureModules,
      'wherry',
      'wherry/remote',
      '@fastify',
      '@opentelemetry/api',
      'fastify',
      'node:fs',
      'node:http',
      'node:net',
      'node:path',
      'node:stream',
      'node:timers',
      'node:tls',
      'ws',
    ],
  },
];

/** An import that leaves its folder and comes back would get round the patterns of an arrow. */
const detour = {
  regex: String.raw`^\./\.\./|[^./]/\.\./`,
  message: 'Write the shortest relative path.',
};

/** One override for each depth below the folder, since a relative path says only how far it climbs. */
function enforceArrow({ folder, folders, modules }, sourceFolder) {
  return depths.map((depth) => {
    const toFolder = '../'.repeat(depth);
    const toSources = '../'.repeat(folder.split('/').length + depth);
    const allowed = [
      ...folders.map((name) => `!${toSources}${name}${name.endsWith('.ts') ? '' : '/**'}`),
      // Below the library's name are its drivers.
      ...modules.flatMap((name) => (name === 'wherry' ? ['!wherry'] : [`!${name}`, `!${name}/**`])),
    ];
    const inside = depth === 0 ? [] : ['!../**', `${toFolder}../**`];
    const names = [...folders.map((name) => `src/${name}`), ...modules].join(', ');
    // Still deeper files get the patterns of the last depth, which are too strict for them, not too lax.
    const deeper = depth === depths.length - 1 ? '**/' : '';
    return {
      files: [`${sourceFolder}/${folder}/${'*/'.repeat(depth)}${deeper}*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              detour,
              {
                group: ['**', '!./**', ...inside, ...allowed],
                message: `src/${folder} may import only itself, ${names}.`,
              },
            ],
          },
        ],
      },
    };
  });
}

const timeIsInjected = 'Take the time from the injected Clock.';
const clockGlobals = ['performance', 'setInterval', 'setTimeout'];

export default {
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise', 'node'],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  env: { builtin: true, node: true },
  ignorePatterns: ['**/dist/**', '**/coverage/**'],
  rules: {
    complexity: ['error', { max: 20 }],
    eqeqeq: 'error',
    'max-depth': ['error', { max: 4 }],
    'max-lines': ['error', { max: 400 }],
    'max-lines-per-function': ['error', { max: 70 }],
    // Most of our loops wait on purpose: each round depends on the one before.
    'no-await-in-loop': 'off',
    'no-var': 'error',
    'prefer-const': 'error',
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'import/no-named-as-default-member': 'off',
    'oxc/no-map-spread': 'off',
    'typescript/await-thenable': 'error',
    // The compiler knows exhaustive switches; this rule does not.
    'typescript/consistent-return': 'off',
    'typescript/consistent-type-imports': ['error', { disallowTypeAnnotations: true }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': [
      'error',
      {
        // node:test itself waits for what these return.
        allowForKnownSafeCalls: [
          {
            from: 'package',
            package: 'node:test',
            name: ['after', 'afterEach', 'before', 'beforeEach', 'describe', 'it', 'suite', 'test'],
          },
        ],
      },
    ],
    'typescript/no-misused-promises': 'error',
    'typescript/no-require-imports': 'error',
    // Narrowing with `as` where the type system cannot follow is allowed; `any` is not.
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/prefer-node-protocol': 'error',
  },
  overrides: [
    {
      files: [`${sources}/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              detour,
              {
                group: ['./cli/**', './testing/**'],
                message: 'The library may import core and drivers, not the command line or tests.',
              },
            ],
          },
        ],
      },
    },
    // A command's file is there to be run.
    { files: ['**/bin/*.js'], rules: { 'import/no-unassigned-import': 'off' } },
    ...arrows.flatMap((arrow) => enforceArrow(arrow, sources)),
    ...serverArrows.flatMap((arrow) => enforceArrow(arrow, serverSources)),
    {
      files: [`${sources}/{core,drivers,testing}/**/*.ts`],
      rules: {
        'no-restricted-globals': [
          'error',
          {
            globals: clockGlobals.map((name) => ({ name, message: timeIsInjected })),
            checkGlobalObject: true,
          },
        ],
        'no-restricted-properties': [
          'error',
          { object: 'Date', property: 'now', message: timeIsInjected },
          { object: 'process', property: 'hrtime', message: timeIsInjected },
          { object: 'Math', property: 'random', message: 'Take randomness as a parameter.' },
        ],
      },
    },
    {
      files: ['examples/**/*.ts'],
      rules: {
        'no-restricted-imports': [
          'error',
          { patterns: [{ group: ['**/src/**'], message: 'Examples use the public names only.' }] },
        ],
      },
    },
    {
      files: ['**/*.test.ts', '**/test/**/*.ts', `${sources}/testing/**/*.ts`],
      rules: { 'max-lines-per-function': 'off' },
    },
    {
      files: ['**/*-table.ts'],
      rules: { 'max-lines': 'off', 'max-lines-per-function': 'off' },
    },
    {
      // Both are loaded by tools that ask for a default export.
      files: ['*.config.mjs', 'scripts/event-reporter.ts'],
      rules: { 'import/no-default-export': 'off' },
    },
  ],
};
