/** Plants each mistake that lint must find into a small tree, and code that it must accept. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../../../scripts/find-files.ts';

const librarySources = 'packages/wherry/src';
const serverSources = 'packages/server/src';
const restricted = 'eslint(no-restricted-imports)';

/** Imports that cross an arrow: the folder, and what a file in it must not import. */
const forbiddenImports: [folder: string, ...specifiers: string[]][] = [
  ['core', '../drivers/memory/store.ts', '../cli/main.ts', '../testing/index.ts', '../system.ts'],
  ['core', 'lmdb', 'ioredis', 'pg', 'commander', 'cli-progress'],
  ['core', 'node:net', 'node:fs', 'node:fs/promises', 'node:http', 'node:child_process'],
  ['core', 'node:timers', 'node:timers/promises', 'node:perf_hooks', 'node:process', 'timers'],
  ['core', './../drivers/memory/store.ts', '../core/../cli/main.ts'],
  ['core/routing', '../../drivers/memory/store.ts', '../../system.ts', 'node:fs', 'lmdb'],
  ['core/routing/topic', '../../../cli/main.ts', 'lmdb'],
  ['core/routing/topic/words', '../../../../cli/main.ts', 'lmdb'],
  ['drivers/memory', '../lmdb/store.ts', '../../cli/main.ts', '../../testing/index.ts'],
  ['drivers/memory', '../../system.ts', 'lmdb', 'node:fs', 'node:timers'],
  ['drivers/lmdb', '../memory/store.ts', '../../cli/main.ts', '../../testing/index.ts'],
  ['drivers/lmdb', '../../system.ts', 'ioredis', 'pg', 'node:net', 'node:timers/promises'],
  ['drivers/redis', '../lmdb/store.ts', '../postgres/index.ts', 'lmdb', 'pg', 'node:net'],
  ['drivers/postgres', '../redis/index.ts', '../../cli/main.ts', 'ioredis', 'node:timers'],
  ['drivers/remote', '../lmdb/index.ts', 'lmdb', 'node:fs', 'node:http', 'node:timers'],
  ['drivers/remote/wire', '../../lmdb/index.ts', 'node:fs'],
  ['drivers/other', '../../testing/index.ts', 'ioredis', 'pg', 'node:fs'],
  ['testing', '../drivers/lmdb/store.ts', '../cli/main.ts', '../system.ts'],
  ['testing', 'node:test', 'node:fs', 'lmdb'],
  ['testing/suite', '../../drivers/lmdb/store.ts', 'node:test'],
  ['.', './cli/main.ts', './testing/index.ts'],
];

const allowedImports: [folder: string, ...specifiers: string[]][] = [
  ['core', './errors.ts', './routing/topic.ts', 'zod', '@standard-schema/spec', 'node:crypto'],
  ['core/routing', '../errors.ts', './topic.ts', 'zod'],
  ['core/routing/topic', '../../errors.ts', '../exchange.ts'],
  ['drivers/memory', '../../core/errors.ts', './store.ts'],
  ['drivers/lmdb', '../../core/errors.ts', 'lmdb', 'node:fs', 'node:fs/promises', 'node:path'],
  ['drivers/postgres', '../../core/errors.ts', './pool.ts', 'pg', 'node:fs', 'node:url'],
  ['drivers/redis', '../../core/errors.ts', './scripts.ts', 'ioredis', 'node:fs', 'node:crypto'],
  ['drivers/remote', '../../core/errors.ts', './wire/calls.ts', 'node:net', 'ws', 'node:crypto'],
  ['drivers/remote/wire', '../../../core/errors.ts', '../link.ts'],
  ['testing', '../core/errors.ts', './suite/send.ts', 'fast-check', 'node:assert/strict'],
  ['testing/suite', '../../core/errors.ts', '../manual-clock.ts', 'fast-check'],
  ['cli', '../core/errors.ts', '../drivers/lmdb/store.ts', '../system.ts', 'commander', 'node:fs'],
  ['.', './core/errors.ts', './drivers/lmdb/store.ts', 'node:path'],
];

const forbiddenServerImports: typeof forbiddenImports = [
  ['protocols/http', 'fastify', 'node:net', 'node:http', 'wherry/lmdb', '../../serve.ts'],
  ['protocols/http', '../../servers/http/app.ts', '../../access/identity.ts'],
  ['protocols/management', '../amqp/table.ts', '../http/problem.ts', '../../access/identity.ts'],
  ['servers/amqp', '../http/app.ts', '../../serve.ts', '../../protocols/http/problem.ts'],
  ['servers/http', '../amqp/listener.ts', '../../protocols/amqp/table.ts'],
  ['access', 'fastify', 'node:fs', 'wherry/redis', '../servers/http/app.ts', '../serve.ts'],
  ['vhosts', 'fastify', 'wherry/postgres', '../servers/http/app.ts'],
  ['telemetry', 'fastify', 'wherry/lmdb', '../servers/http/app.ts'],
  ['config', 'fastify', '../serve.ts', '../servers/http/app.ts'],
  ['servers/http', 'wherry/lmdb', 'wherry/redis', 'wherry/postgres', 'lmdb', 'ioredis', 'pg'],
  ['servers/http', '../../serve.ts', '../../config/load.ts'],
  ['servers/http/routes', '../../../serve.ts', 'wherry/lmdb'],
];

const allowedServerImports: typeof allowedImports = [
  ['protocols/http', 'wherry', 'zod', './problem.ts', 'node:crypto'],
  ['protocols/management', 'wherry', 'zod', './listing.ts', 'node:crypto'],
  ['servers/amqp', '../../protocols/management/amqp-side.ts'],
  ['servers/http/routes/management', '../../../../protocols/management/amqp-side.ts'],
  ['access', 'wherry', 'node:crypto', './identity.ts'],
  ['vhosts', 'wherry', 'node:path'],
  ['telemetry', 'pino', 'prom-client', 'node:perf_hooks', 'wherry'],
  ['config', 'yaml', 'zod', 'node:fs', '../access/identity.ts'],
  ['servers/http', 'wherry', 'wherry/remote', 'fastify', '@fastify/cookie', '../../access/x.ts'],
  ['servers/http/routes', '../route.ts', '../../../protocols/http/problem.ts', 'zod'],
  ['.', './servers/http/app.ts', 'wherry', './config/load.ts'],
];

const globals = 'eslint(no-restricted-globals)';
const properties = 'eslint(no-restricted-properties)';

/** Code that is wrong in the folder, with the rule that says so. */
const forbiddenCode: [folder: string, rule: string, code: string][] = [
  ['core', properties, 'export const value: number = Date.now();'],
  ['core', properties, 'export const value: number = Math.random();'],
  ['core/routing', properties, 'export const value: bigint = process.hrtime.bigint();'],
  ['core', globals, 'export const value: unknown = setTimeout(String, 1);'],
  ['core', globals, 'export const value: unknown = setInterval(String, 1);'],
  ['core', globals, 'export const value: number = performance.now();'],
  ['core', globals, 'export const value: unknown = globalThis.setTimeout(String, 1);'],
  ['core', restricted, "export const value: unknown = await import('node:fs');"],
  ['core', restricted, "export type { RootDatabase } from 'lmdb';"],
  ['core', 'typescript(no-require-imports)', "export const value: unknown = require('node:fs');"],
  [
    'core',
    'typescript(consistent-type-imports)',
    "export type Value = import('../system.ts').Value;",
  ],
  ['drivers/lmdb', properties, 'export const value: number = Date.now();'],
  ['drivers/lmdb', globals, 'export const value: unknown = setTimeout(String, 1);'],
  ['testing', globals, 'export const value: unknown = setTimeout(String, 1);'],
  [
    'cli',
    'typescript(no-floating-promises)',
    'async function send(): Promise<void> {}\nexport const run = (): void => {\n  send();\n};',
  ],
  [
    'cli',
    'typescript(no-misused-promises)',
    'export const run = (list: number[]): void => list.forEach(async () => {});',
  ],
  [
    'cli',
    'typescript(await-thenable)',
    'export const run = async (n: number): Promise<number> => await n;',
  ],
  ['cli', 'eslint(max-lines)', `${'// a line\n'.repeat(400)}export const last: number = 1;`],
  [
    'cli',
    'eslint(max-lines-per-function)',
    `export function run(): void {\n${'  String();\n'.repeat(70)}}`,
  ],
];

const allowedCode: [folder: string, code: string][] = [
  ['cli', 'export const value: number = Date.now();\nsetTimeout(String, 1);'],
  ['core', 'export const value: string = new Date(0).toISOString();'],
  ['cli', `${'// a line\n'.repeat(399)}export const last: number = 1;`],
];

let tree: string;
const planted: { file: string; rule: string | null }[] = [];
const found = new Map<string, string[]>();

function plant(
  folder: string,
  code: string,
  rule: string | null,
  sources: string = librarySources,
): void {
  const file = join(sources, folder, `planted-${planted.length}.ts`);
  write(file, code);
  planted.push({ file, rule });
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
}

function read(file: string): string {
  return readFileSync(join(tree, file), 'utf8').slice(0, 200);
}

function importing(specifier: string): string {
  return `import * as other from '${specifier}';\nexport const value: unknown = other;\n`;
}

before(() => {
  tree = mkdtempSync(join(tmpdir(), 'wherry-arrows-'));
  const projects = ['packages/wherry/tsconfig.json', 'packages/server/tsconfig.json'];
  for (const file of ['oxlint.config.mjs', 'tsconfig.base.json', ...projects]) {
    cpSync(join(root, file), join(tree, file));
  }
  write('package.json', '{ "type": "module" }');
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));

  for (const [folder, ...specifiers] of forbiddenImports) {
    for (const specifier of specifiers) plant(folder, importing(specifier), restricted);
  }
  for (const [folder, ...specifiers] of allowedImports) {
    for (const specifier of specifiers) plant(folder, importing(specifier), null);
  }
  for (const [folder, ...specifiers] of forbiddenServerImports) {
    for (const specifier of specifiers) {
      plant(folder, importing(specifier), restricted, serverSources);
    }
  }
  for (const [folder, ...specifiers] of allowedServerImports) {
    for (const specifier of specifiers) plant(folder, importing(specifier), null, serverSources);
  }
  for (const [folder, rule, code] of forbiddenCode) plant(folder, code, rule);
  for (const [folder, code] of allowedCode) plant(folder, code, null);
  plant('cli', "import './circle.ts';", 'import(no-cycle)');
  write(join(librarySources, 'cli/circle.ts'), `import './planted-${planted.length - 1}.ts';`);

  const lint = spawnSync(
    join(root, 'node_modules/.bin/oxlint'),
    ['-c', 'oxlint.config.mjs', '--format=json', librarySources, serverSources],
    {
      cwd: tree,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    },
  );
  const report = JSON.parse(lint.stdout) as { diagnostics: { filename: string; code: string }[] };
  for (const { filename, code } of report.diagnostics) {
    found.set(filename, [...(found.get(filename) ?? []), code]);
  }
});

after(() => rmSync(tree, { recursive: true, force: true }));

test('every planted mistake is found', (t) => {
  const mistakes = planted.filter(({ rule }) => rule !== null);
  for (const { file, rule } of mistakes) {
    assert.ok(found.get(file)?.includes(rule ?? ''), `${rule} missed ${file}:\n${read(file)}`);
  }
  t.diagnostic(`${mistakes.length} mistakes planted and found`);
});

test('what the arrows allow is accepted', () => {
  for (const { file } of planted.filter(({ rule }) => rule === null)) {
    assert.deepEqual(found.get(file) ?? [], [], read(file));
  }
});
