/** What the repository promises about its own files, checked on it and on a tree full of mistakes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { findFiles, root } from '../../../scripts/find-files.ts';

interface Check {
  name: string;
  /** @returns one sentence for each mistake in the tree. */
  find: (tree: string) => string[];
  /** What it must say about the tree full of mistakes. */
  planted: string[];
}

const maxLines = 400;

// Joined here, so that this file does not hold what it looks for.
const homeFolder = ['', 'home', 'somebody'].join('/');
const packageServer = ['registry', 'example', 'com'].join('.');

/** Each file holds a mistake; the version is 1.2.3. */
const mistakes: Record<string, string> = {
  'package.json': '{ "version": "1.2.3" }',
  'packages/one/package.json': '{ "version": "1.2.4" }',
  'package-lock.json': JSON.stringify(
    { packages: { '': { version: '1.2.2' }, 'node_modules/x': { resolved: 'https://x' } } },
    null,
    2,
  ),
  'packages/one/src/long.ts': '// a line\n'.repeat(maxLines + 1),
  'packages/wherry/src/core/clock.ts': 'export const now = () => new Date();',
  'docs/store.md': `Open the folder ${homeFolder}/store.`,
  '.npmrc': `//${packageServer}/:x=1`,
  'CHANGELOG.md': '# Changelog\n\n## 1.2.30\n',
};

const checks: Check[] = [
  {
    name: `no source file is longer than ${maxLines} lines, tables apart`,
    find: (tree) =>
      findFiles(tree)
        .filter((file) => file.endsWith('.ts') && !file.endsWith('-table.ts'))
        .map((file) => [file, readText(tree, file).trimEnd().split('\n').length] as const)
        .filter(([, lines]) => lines > maxLines)
        .map(([file, lines]) => `${file} has ${lines} lines`),
    planted: ['packages/one/src/long.ts has 401 lines'],
  },
  {
    // Lint sees Date.now() and the timers, but has no rule for these two.
    name: 'core, drivers and testing take no date of now',
    find: (tree) =>
      findFiles(tree)
        .filter((file) => /^packages\/wherry\/src\/(core|drivers|testing)\//.test(file))
        .filter((file) => /\bnew Date\(\s*\)|(?<!new )\bDate\(/.test(readText(tree, file)))
        .map((file) => `${file} takes the date of now`),
    planted: ['packages/wherry/src/core/clock.ts takes the date of now'],
  },
  {
    name: 'no file names a folder of one machine or a package server',
    find: (tree) =>
      findFiles(tree).flatMap((file) => {
        const text = readText(tree, file);
        // A file with a zero byte is no text.
        if (text.includes('\0')) return [];
        const match = /(?<![\w.~])\/(work|root|home|Users)\/\w+|\bregistry\.[a-z]+\.\w+/.exec(text);
        return match === null ? [] : [`${file} has ${match[0]}`];
      }),
    planted: [`.npmrc has ${packageServer}`, `docs/store.md has ${homeFolder}`],
  },
  {
    name: 'lock files do not say where a package was fetched',
    find: (tree) =>
      findFiles(tree)
        .filter((file) => file.endsWith('package-lock.json'))
        .filter((file) => /"resolved": "\w+:/.test(readText(tree, file)))
        .map((file) => `${file} has resolved addresses`),
    planted: ['package-lock.json has resolved addresses'],
  },
  {
    name: 'all packages have one version',
    find: (tree) => {
      const version = readVersion(tree);
      return [...manifestVersions(tree), ...lockedVersions(tree)]
        .filter(([, other]) => other !== version)
        .map(([place, other]) => `${place} has ${other}, not ${version}`);
    },
    planted: [
      'packages/one/package.json has 1.2.4, not 1.2.3',
      'package-lock.json "" has 1.2.2, not 1.2.3',
    ],
  },
  {
    name: 'the changelog tells of this version',
    find: (tree) => {
      const version = readVersion(tree);
      const changelog = existsSync(join(tree, 'CHANGELOG.md'))
        ? readText(tree, 'CHANGELOG.md')
        : '';
      const headings = changelog.matchAll(/^## \[?([\w.-]+)/gm);
      return [...headings].some(([, heading]) => heading === version)
        ? []
        : [`CHANGELOG.md has no section "## ${version}"`];
    },
    planted: ['CHANGELOG.md has no section "## 1.2.3"'],
  },
];

function readText(tree: string, file: string): string {
  return readFileSync(join(tree, file), 'utf8');
}

function readVersion(tree: string, manifest = 'package.json'): string {
  return (JSON.parse(readText(tree, manifest)) as { version: string }).version;
}

function manifestVersions(tree: string): [place: string, version: string][] {
  return findFiles(tree)
    .filter((file) => /(^|\/)package\.json$/.test(file))
    .map((file) => [file, readVersion(tree, file)]);
}

function lockedVersions(tree: string): [place: string, version: string | undefined][] {
  const { packages } = JSON.parse(readText(tree, 'package-lock.json')) as {
    packages: Record<string, { version?: string }>;
  };
  return Object.entries(packages)
    .filter(([path]) => !path.includes('node_modules'))
    .map(([path, { version }]) => [`package-lock.json "${path}"`, version]);
}

let treeOfMistakes: string;

before(() => {
  treeOfMistakes = mkdtempSync(join(tmpdir(), 'wherry-tidy-'));
  for (const [file, text] of Object.entries(mistakes)) {
    mkdirSync(dirname(join(treeOfMistakes, file)), { recursive: true });
    writeFileSync(join(treeOfMistakes, file), text);
  }
});

after(() => rmSync(treeOfMistakes, { recursive: true, force: true }));

for (const { name, find, planted } of checks) {
  test(name, () => assert.deepEqual(find(root), []));
  test(`a mistake is found: ${name}`, () => assert.deepEqual(find(treeOfMistakes), planted));
}
