/**
 * Holds the documentation against the code. In every page at the root, in docs/ and in examples/:
 *
 * - a block marked `ts` or `js` is a whole program: it runs in an empty folder and must exit with 0;
 * - a block marked `ts fragment` goes on in a program where `mq` is open on a folder. The fragments
 *   of one page run one after the other on the same store; consumers and listeners end with each;
 * - lines `// prints: …` say all that a block prints;
 * - every block of TypeScript is held against the types, every link against what is there.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { after, describe, test } from 'node:test';
import { findFiles, root } from '../../../scripts/find-files.ts';
import { COUNTED } from '../src/core/events.ts';
import * as errors from '../src/core/errors.ts';
import { DEFAULT_LIMITS, DEFAULT_QUEUE_SETTINGS } from '../src/index.ts';
import { Examples, type Outcome } from './docs/examples.ts';
import {
  anchorsOf,
  type CodeBlock,
  codeBlocksOf,
  type Page,
  proseOf,
  readPage,
  readPages,
  relativeLinksOf,
  tableRowsOf,
} from './docs/markdown.ts';

const pages = readPages();
const blocks = pages.flatMap(codeBlocksOf);
const examples = new Examples(blocks);
after(() => examples.remove());

const SILENT: Outcome = { code: 0, output: '' };

describe('examples', { concurrency: 2 }, () => {
  for (const block of blocks) {
    test(`${block.page}:${block.line} runs, and prints what it says`, async () => {
      const run = block.isFragment ? examples.runFragment(block) : examples.runProgram(block);
      checkOutcome(block, await run);
      if (block.language === 'js') assert.deepEqual(await examples.checkSyntax(block), SILENT);
    });
  }
});

function checkOutcome({ prints }: CodeBlock, outcome: Outcome | undefined): void {
  assert.ok(outcome, 'it was not run');
  assert.equal(outcome.code, 0, outcome.output);
  if (prints !== null) assert.deepEqual(outcome.output.split('\n').slice(0, -1), prints);
}

test('the examples have the right types', async () => {
  assert.deepEqual(await examples.checkTypes(), SILENT);
});

test('every link leads to a file, every anchor to a heading', () => {
  const broken = pages.flatMap((page) =>
    relativeLinksOf(page)
      .filter((target) => !leadsSomewhere(page, target))
      .map((target) => `${page.path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

function leadsSomewhere(page: Page, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
  if (!existsSync(join(root, path))) return false;
  return anchor === undefined || (path.endsWith('.md') && anchorsOf(readPage(path)).has(anchor));
}

test('every source file that a page names is there', () => {
  const files = findFiles(root);
  const missing = pages.flatMap((page) =>
    Array.from(proseOf(page).matchAll(/`([\w./-]+\.(?:ts|mjs|json))`/g), ([, name]) => name!)
      // What a newcomer makes, and a name that stands for any.
      .filter((name) => name !== 'first.mjs' && !name.includes('NAME'))
      .filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`)))
      .map((name) => `${page.path}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('every page of docs/ is listed in docs/README.md', () => {
  const listed = new Set(relativeLinksOf(readPage('docs/README.md')).map((to) => `docs/${to}`));
  const missing = pages.filter(({ path }) => /^docs\/(?!README)/.test(path) && !listed.has(path));
  assert.deepEqual(
    missing.map(({ path }) => path),
    [],
  );
});

/** Where the tests are that a page may name: `suite: …`, and so on. */
const TEST_SOURCES: Readonly<Record<string, RegExp>> = {
  suite: /^packages\/wherry\/src\/testing\/suite\//,
  system: /^packages\/wherry\/test\/system\//,
  core: /^packages\/wherry\/test\/core\//,
  lmdb: /^packages\/wherry\/test\/drivers\/lmdb\//,
  redis: /^packages\/wherry\/test\/drivers\/redis\//,
  postgres: /^packages\/wherry\/test\/drivers\/postgres\//,
  crash: /^packages\/wherry\/test\/crash/,
  faults: /^packages\/wherry\/test\/faults/,
};

test('guarantees.md has every guarantee, and the tests that it names are there', () => {
  const page = readPage('docs/guarantees.md');
  const numbers = Array.from(proseOf(page).matchAll(/^### G(\d+) /gm), ([, number]) =>
    Number(number),
  );
  assert.deepEqual(numbers, numbersTo(16));
  const named = namedTests(page);
  assert.ok(named.length > 100, `only ${named.length} tests are named`);
  assert.deepEqual(missingOf(named), []);
});

for (const [path, rowsMin] of [
  ['docs/redis.md', 15],
  ['docs/postgres.md', 7],
] as const) {
  test(`${path} says what is lost when, and the tests that it names are there`, () => {
    const page = readPage(path);
    const [, losses = ''] = /^## What is lost when$(.*?)^##/ms.exec(page.text) ?? [];
    const rows = tableRowsOf({ ...page, text: losses }).filter(({ length }) => length === 4);
    assert.ok(rows.length >= rowsMin, `only ${rows.length} rows`);
    for (const [, , , tests] of rows) {
      const named = namedTests({ ...page, text: tests! });
      assert.ok(named.length > 0, tests);
      assert.deepEqual(missingOf(named), []);
    }
  });
}

function missingOf(named: readonly [area: string, title: string][]): unknown[] {
  return named.filter(([area, title]) => !titlesOf(area).some((one) => isPrefix(title, one)));
}

test('guarantees.md names a test in every cell that says that something holds', () => {
  const rows = tableRowsOf(readPage('docs/guarantees.md')).filter((row) => row.length === 3);
  const claims = rows.filter(([, verdict]) => verdict!.startsWith('holds'));
  assert.ok(claims.length >= 40, `only ${claims.length} cells`);
  const bare = claims.filter(([, , tests]) => !/\w+: `/.test(tests!));
  assert.deepEqual(bare, []);
});

test('guarantees.md leaves no test of the suite out that has a guarantee in its title', () => {
  const named = namedTests(readPage('docs/guarantees.md'));
  const titles = titlesOf('suite').filter((title) => /^G\d+ /.test(title));
  const prefixes = named.filter(([area]) => area === 'suite').map(([, title]) => title);
  const left = titles.filter((title) => !prefixes.some((prefix) => isPrefix(prefix, title)));
  assert.ok(titles.length > 80, `only ${titles.length} titles`);
  assert.deepEqual(left, []);
});

/** `suite: \`G1 a message\`, \`G5\`` names two of the suite. */
function namedTests(page: Page): [area: string, title: string][] {
  const groups = proseOf(page).matchAll(/\b([a-z]+): ((?:`[^`]+`(?:, )?)+)/g);
  return Array.from(groups).flatMap(([, area, titles]) =>
    Array.from(titles!.matchAll(/`([^`]+)`/g), ([, title]): [string, string] => [area!, title!]),
  );
}

const titlesByArea = new Map<string, string[]>();

/** Every piece of quoted text in an area's sources, up to a value in it: its tests' titles among them. */
function titlesOf(area: string): string[] {
  const pattern = TEST_SOURCES[area];
  assert.ok(
    pattern,
    `'${area}' is no place of tests; there are ${Object.keys(TEST_SOURCES).join(', ')}`,
  );
  let titles = titlesByArea.get(area);
  if (titles === undefined) {
    titles = findFiles(root)
      .filter((path) => pattern.test(path) && path.endsWith('.ts'))
      .map((path) => readFileSync(join(root, path), 'utf8'))
      .flatMap((source) => source.match(/(?<=')[^'\n]+(?=')|(?<=`)[^`$\n]+/g) ?? []);
    titlesByArea.set(area, titles);
  }
  return titles;
}

/** `G1` begins `G1 a message`, not `G10 the oldest`. */
function isPrefix(prefix: string, title: string): boolean {
  return title === prefix || title.startsWith(`${prefix} `);
}

test('errors.md lists every class, and every code with the class that has it', () => {
  const rows = rowsBelow('# Errors');
  const classes = Object.keys(errors).filter((name) => name !== 'MessageQueueError');
  const named = new Set(rows.map(([, name]) => unquote(name)));
  const warnings = rowsBelow('## Warnings');
  assert.deepEqual(firstCells([...rows, ...warnings]), codesIn(LIBRARY));
  assert.deepEqual(
    classes.filter((name) => !named.has(name)),
    [],
  );
});

test('errors.md lists every code that only the broker has, and that only the command line has', () => {
  const embedded = codesIn(LIBRARY);
  const broker = firstCells(rowsBelow('## At a broker'));
  const commands = firstCells(rowsBelow('## On the command line'));
  const server = codesIn(/^packages\/(?!wherry\/)[^/]+\/src\//);
  assert.deepEqual(sorted([...embedded, ...broker, ...commands]), [
    ...sorted([...embedded, ...server, ...codesIn(/^packages\/wherry\/src\/cli\//)]),
  ]);
  assert.deepEqual(
    broker.filter((code) => embedded.includes(code) || !server.includes(code)),
    [],
  );
});

const LIBRARY = /^packages\/wherry\/src\/(?!cli|testing)/;

/** Of the table below a heading of errors.md. */
function rowsBelow(heading: string): string[][] {
  const { path, text } = readPage('docs/errors.md');
  const [, section = ''] = new RegExp(`^${heading}\n(.*?)(?=^## |(?![^]))`, 'ms').exec(text) ?? [];
  return tableRowsOf({ path, text: section });
}

function firstCells(rows: readonly string[][]): string[] {
  return sorted(rows.map(([cell]) => unquote(cell)));
}

/** Codes are given to a constructor, or as its option; or they stand with the status of HTTP. */
const CODES = [
  /(?:super\(|\bcode: |code \?\?|new MessageQueueError\()\s*'([A-Z_]+)'/g,
  /^ {2}([A-Z_]+): \[\d{3}, /gm,
  /\['([A-Z_]+)', \d{3}, /g,
];

function codesIn(paths: RegExp): string[] {
  const sources = findFiles(root)
    .filter((path) => paths.test(path) && path.endsWith('.ts'))
    .map((path) => readFileSync(join(root, path), 'utf8'));
  const codes = sources.flatMap((source) =>
    CODES.flatMap((pattern) => Array.from(source.matchAll(pattern), ([, code]) => code!)),
  );
  return sorted(codes);
}

test('queues.md lists every setting with its default', () => {
  const { backoff, ...others } = DEFAULT_QUEUE_SETTINGS;
  const fields = Object.entries(backoff).map(([name, value]) => [`backoff.${name}`, value]);
  checkDefaults('docs/queues.md', [...Object.entries(others), ...fields] as [string, unknown][]);
});

test('limits.md lists every limit with its default', () => {
  checkDefaults('docs/limits.md', Object.entries(DEFAULT_LIMITS));
});

/** The second column begins with the default, as one would write it. */
function checkDefaults(path: string, defaults: readonly [name: string, value: unknown][]): void {
  const rows = new Map(tableRowsOf(readPage(path)).map(([name, value]) => [unquote(name), value]));
  for (const [name, value] of defaults) {
    const shown = typeof value === 'string' ? `'${value}'` : String(value);
    assert.match(rows.get(name) ?? 'no row', new RegExp(`^\`${shown}\``), `${path}: ${name}`);
  }
}

test('events-and-counters.md lists every event', () => {
  const source = readFileSync(join(root, 'packages/wherry/src/core/events.ts'), 'utf8');
  const [map = ''] = /interface EventMap \{[\s\S]*?^\}/m.exec(source) ?? [];
  const events = Array.from(map.matchAll(/^ {2}(\w+): /gm), ([, name]) => name!);
  assert.ok(COUNTED.every((name) => events.includes(name)));
  const rows = new Set(
    tableRowsOf(readPage('docs/events-and-counters.md')).map(([name]) => unquote(name)),
  );
  assert.deepEqual(
    events.filter((name) => !rows.has(name)),
    [],
  );
});

test('the README counts the dependencies', () => {
  const { everywhere, forOnePlatform, direct } = countDependencies();
  const text = readPage('README.md').text;
  const sentence = `${direct} direct and ${everywhere - direct} transitive dependencies`;
  assert.ok(text.includes(sentence), `it must say: ${sentence}`);
  assert.equal(forOnePlatform.length, 2, 'prebuilt binaries');
});

interface Locked {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly os?: readonly string[];
}

/** What `npm i wherry` installs, from the lock file: prebuilt binaries apart. */
function countDependencies(): { direct: number; everywhere: number; forOnePlatform: string[] } {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const found = new Set<string>();
  const visit = (path: string): void => {
    const { dependencies, optionalDependencies } = packages[path]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const nested = `${path}/node_modules/${name}`;
      const place = nested in packages ? nested : `node_modules/${name}`;
      if (!found.has(place)) {
        found.add(place);
        visit(place);
      }
    }
  };
  visit('packages/wherry');
  const binaries = [...found].filter((path) => packages[path]!.os !== undefined);
  // One of each family is installed: the one for this platform.
  const families = new Set(
    binaries.map((path) => /(@[^/]+\/[a-z-]+?)-(linux|darwin|win32)/.exec(path)![1]!),
  );
  return {
    direct: Object.keys(packages['packages/wherry']!.dependencies!).length,
    everywhere: found.size - binaries.length,
    forOnePlatform: [...families],
  };
}

test('the npm commands that the pages name are there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const commands = pages.flatMap(({ path, text }) =>
    Array.from(text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g), (match) => ({
      path,
      script: match[1] ?? match[2]!,
    })),
  );
  assert.ok(commands.length > 5);
  assert.deepEqual(
    commands.filter(({ script }) => !Object.hasOwn(scripts, script)),
    [],
  );
});

function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted((a, b) => a.localeCompare(b));
}

/** What a cell holds within its first pair of backquotes. */
function unquote(cell = ''): string {
  return /`([^`]+)`/.exec(cell)?.[1] ?? cell;
}
