import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SharedStore, STORES } from '../brokers/stores.ts';

export interface CrashCase {
  readonly start: () => Promise<SharedStore>;
  readonly brokers: number;
}

async function folderStore(): Promise<SharedStore> {
  const url = await mkdtemp(join(tmpdir(), 'wherry-amqp-crash-'));
  return { url, stop: () => rm(url, { recursive: true, force: true }) };
}

/** A folder belongs to one broker, another store to several. */
export const CASES: Readonly<Record<string, CrashCase>> = {
  lmdb: { start: folderStore, brokers: 1 },
  redis: { start: STORES['redis']!, brokers: 2 },
  postgres: { start: STORES['postgres']!, brokers: 2 },
};
