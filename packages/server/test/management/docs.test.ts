import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPage, tableRowsOf } from '../../../wherry/test/docs/markdown.ts';
import { pathOf } from '../../src/servers/http/route.ts';
import { ROUTES } from '../../src/servers/http/route-table.ts';

test('management-api.md has every path with its methods', () => {
  const paths = new Map<string, string[]>();
  for (const route of ROUTES.filter(({ scope }) => scope === 'management')) {
    const path = pathOf(route);
    paths.set(path, [...(paths.get(path) ?? []), route.method]);
  }
  const rows = tableRowsOf(readPage('docs/management-api.md'))
    .filter(([first = '']) => first.startsWith('`/api/'))
    .map(([path = '', methods = '']): [string, string[]] => [
      path.replaceAll('`', ''),
      methods.split(', '),
    ]);
  assert.deepEqual(new Map(rows), paths);
});
