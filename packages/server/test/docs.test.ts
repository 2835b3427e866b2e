/** Holds the pages about the broker against the code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proseOf, readPage, tableRowsOf } from '../../wherry/test/docs/markdown.ts';
import { CONFIG_KEYS, type ConfigKey } from '../src/config/keys.ts';
import { configJsonSchema } from '../src/config/schema.ts';
import { PROBLEMS, statusOf } from '../src/protocols/http/problem.ts';
import { startBroker } from './broker.ts';
import { parseMetrics } from './telemetry/prometheus.ts';

test('configuration.md has every key with its default, its variable and its meaning', () => {
  const { text } = readPage('docs/configuration.md');
  const rows = CONFIG_KEYS.map(rowOf);
  const missing = rows.filter((row) => !text.includes(`\n${row}\n`));
  assert.deepEqual(missing, [], 'these rows must stand there');
  const [, table = ''] = /\n\| key \| default .*\n\|.*\n((?:\|.*\n)+)/.exec(text) ?? [];
  assert.equal(table, `${rows.join('\n')}\n`);
});

function rowOf({ path, default: value, variable, description }: ConfigKey): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  const cell = shown === undefined ? '' : `\`${shown}\``;
  return `| \`${path}\` | ${cell} | \`${variable}\` | ${description} |`;
}

test('configuration.md has every key of a user and of a token', () => {
  const { users, tokens } = configJsonSchema()['properties'] as Record<
    string,
    { items: { properties: Record<string, { items?: { properties: object } }> } }
  >;
  const permission = users!.items.properties['permissions']!.items!.properties;
  const keys = new Set([
    ...Object.keys(users!.items.properties),
    ...Object.keys(tokens!.items.properties),
    ...Object.keys(permission).map((key) => `permissions[].${key}`),
  ]);
  const prose = proseOf(readPage('docs/configuration.md'));
  const [, section = ''] = /## Users, tokens and permissions\n(.*?)\n## /s.exec(prose) ?? [];
  const named = Array.from(section.matchAll(/^\| (`.*?) \|/gm), ([, cell]) => cell!)
    .flatMap((cell) => cell.split(', '))
    .map((one) => one.replaceAll('`', ''));
  assert.deepEqual(named.toSorted(), [...keys].toSorted());
});

test('operations.md has every metric with its labels', async () => {
  await using broker = await startBroker({ queues: [{ name: 'orders' }], amqp: { port: 0 } });
  await fetch(`${broker.url}/healthz`).then((response) => response.text());
  const page = await fetch(`${broker.url}/metrics`);
  const families = parseMetrics(await page.text());
  const rows = new Map(
    tableRowsOf(readPage('docs/operations.md'))
      .filter(([name]) => name!.startsWith('`wherry_'))
      .map(([name, labels]) => [name!.replaceAll('`', ''), labels!]),
  );
  const names = [...families.keys()].filter((name) => name.startsWith('wherry_'));
  assert.deepEqual([...rows.keys()].toSorted(), names.toSorted());
  for (const [name, { samples, type }] of families) {
    const [sample] = samples;
    if (!rows.has(name) || sample === undefined) continue;
    const labels = Object.keys(sample.labels).filter((label) => label !== 'le');
    assert.deepEqual(
      rows.get(name)!.split(', ').filter(Boolean).toSorted(),
      labels.toSorted(),
      name,
    );
    assert.ok(type !== 'histogram' || labels.length < 4, 'few labels where there are many buckets');
  }
});

test('http-api.md has every code with its status, and errors.md those of the broker alone', () => {
  const listed = tableRowsOf(readPage('docs/http-api.md'))
    .filter(([status]) => /^\d{3}$/.test(status!))
    .flatMap(([status, codes]) =>
      Array.from(codes!.matchAll(/`([A-Z_]+)`/g), ([, code]) => [code!, Number(status)] as const),
    );
  const codes = [...Object.keys(PROBLEMS), 'STORAGE', 'INTERNAL'];
  assert.deepEqual(
    listed.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    codes.toSorted().map((code) => [code, statusOf(code)]),
  );
  const explained = tableRowsOf(readPage('docs/errors.md')).filter(([, status]) =>
    /^\d{3}$/.test(status!),
  );
  assert.ok(explained.length > 20, `only ${explained.length} rows`);
  for (const [code, status] of explained) {
    assert.equal(statusOf(code!.replaceAll('`', '')), Number(status), code);
  }
});
