/** What tests of connections share. */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Driver, QueueRef } from '../../../src/core/driver.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { createMemoryDriver } from '../../../src/drivers/memory/index.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';

export async function openStore(t: TestContext): Promise<{ store: Driver; queue: QueueRef }> {
  const store = createMemoryDriver({ clock: new SystemClock() });
  await store.open();
  t.after(() => store.close());
  const entry = await store.topology.put({ kind: 'queue', name: 'q', value: {} }, 0);
  return { store, queue: unboundedQueue('q', entry!.number) };
}

export function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-remote-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'store.sock');
}

/** Waits no longer than a test should. */
export async function withinTime(done: Promise<unknown>): Promise<'in time' | 'too late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'too late'>((resolve) => {
    timer = setTimeout(() => resolve('too late'), 2_000);
  });
  const end = done.then(
    () => 'in time' as const,
    () => 'in time' as const,
  );
  try {
    return await Promise.race([end, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function hasCode(code: string, retriable: boolean): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.deepEqual([error.code, error.retriable], [code, retriable], error.message);
    return true;
  };
}
