import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** @returns a folder for a store, removed after the test */
export function storeFolder(test: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), 'wherry-fault-'));
  test.after(() => rmSync(home, { recursive: true, force: true }));
  return join(home, 'store');
}
