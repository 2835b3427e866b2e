import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createLmdbDriver } from '../../src/drivers/lmdb/index.ts';
import { conformanceSuite, type SuiteStore } from '../../src/testing/index.ts';
import { histories } from './histories.ts';

/** A crash leaves what is on disk then: a copy of it, in which the driver before lives no more. */
async function createStore(clock: Clock): Promise<SuiteStore> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-lmdb-'));
  let path = join(folder, '0');
  let driver: Driver;
  let crashes = 0;
  return {
    connect: () => (driver = createLmdbDriver({ path, clock })),
    crash: async () => {
      const copy = join(folder, String((crashes += 1)));
      await cp(path, copy, { recursive: true });
      await driver.close();
      path = copy;
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

conformanceSuite({ name: 'lmdb', test, model: histories(20), createStore });
