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
import { createRemoteDriver, type StoreHostOptions } from '../../../src/drivers/remote/index.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { hostOnSocket, type Hosted } from './hosted.ts';

export async function openMemory(t: TestContext): Promise<Driver> {
  const store = createMemoryDriver({ clock: new SystemClock() });
  await store.open();
  t.after(() => store.close());
  return store;
}

/** With a queue in it. */
export async function openStore(t: TestContext): Promise<{ store: Driver; queue: QueueRef }> {
  const store = await openMemory(t);
  const entry = await store.topology.put({ kind: 'queue', name: 'q', value: {} }, 0);
  return { store, queue: unboundedQueue('q', entry!.number) };
}

export async function serve(
  t: TestContext,
  store: Driver,
  options: Partial<StoreHostOptions> = {},
): Promise<Hosted> {
  const hosted = await hostOnSocket(store, options);
  t.after(() => hosted.stop());
  return hosted;
}

/** A client of what is served. */
export async function connect(t: TestContext, { url }: Hosted): Promise<Driver> {
  const driver = createRemoteDriver({ url, connectTimeout: 1_000 });
  await driver.open();
  t.after(() => driver.close());
  return driver;
}

export function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-remote-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'store.sock');
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
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
