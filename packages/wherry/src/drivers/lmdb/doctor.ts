import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { StorageError } from '../../core/errors.ts';
import { Counters } from './counters.ts';
import { Examination, type Problem } from './examination.ts';
import { openFormat, refuseNewer } from './format.ts';
import { get32 } from './keys.ts';
import { LmdbNotifier } from './notifier.ts';
import { acquire, release, reserve } from './owner.ts';
import { QueueState } from './queue-state.ts';
import { NO_REMEDIES, Repair } from './repair.ts';
import { restoreMarks } from './restore.ts';
import { LmdbStore } from './store.ts';
import { DATA_FILE, openRoot, type Root } from './tables.ts';
import { entriesOf } from './topology.ts';

export interface DoctorOptions {
  /** Mends what can be mended; without it the store is only read. */
  readonly repair?: boolean;
  /** Writes the store anew, without the room that what is gone left in the file. */
  readonly compact?: boolean;
  /** @param messages how many were looked at so far */
  readonly onProgress?: (messages: number) => void;
}

export interface DoctorReport {
  readonly path: string;
  readonly format: number;
  readonly queues: number;
  readonly messages: number;
  /** What was found; mended ones too. */
  readonly problems: readonly Problem[];
  readonly repaired: number;
  /** The file's size in bytes. */
  readonly compacted?: { readonly before: number; readonly after: number };
}

/** Left over by a crash, it is in nobody's way. */
const COPY_FOLDER = 'compacted';

/** The store has its time from what it holds; nothing is leased or due to anybody here. */
const NO_CLOCK = { now: (): number => 0, setTimer: () => ({ cancel: () => undefined }) };

/**
 * Verifies that the parts of a store agree: counters, indexes, checksums, groups.
 * @param dir the store's folder; nobody may have it open
 * @throws StorageInUseError when somebody has
 * @throws StorageVersionError when a newer version wrote it
 * @throws StorageError when there is no store
 */
export async function doctor(dir: string, options: DoctorOptions = {}): Promise<DoctorReport> {
  const path = resolve(dir);
  if (!existsSync(join(path, DATA_FILE))) {
    throw new StorageError(
      `There is no store in '${path}'. Name the folder that holds '${DATA_FILE}'.`,
      {
        code: 'STORAGE_OPEN',
      },
    );
  }
  const giveBack = reserve(path);
  let root = openRoot(path);
  let instance: string | null = null;
  try {
    refuseNewer(root, path);
    ({ instance } = acquire(root, path));
    const report = await examine(root, path, options);
    if (options.compact !== true) return report;
    const before = statSync(join(path, DATA_FILE)).size;
    root = await compact(root, path);
    return { ...report, compacted: { before, after: statSync(join(path, DATA_FILE)).size } };
  } finally {
    if (instance !== null) await release(root, instance, true);
    await root.close();
    giveBack();
  }
}

async function examine(root: Root, path: string, options: DoctorOptions): Promise<DoctorReport> {
  const { tables, facts } = await openFormat(root, path);
  const store = new LmdbStore(tables, facts, NO_CLOCK, path, new LmdbNotifier());
  const problems: Problem[] = loadQueues(store);
  restoreMarks(store);
  store.leases.commit();
  const progress = options.onProgress ?? ((): void => undefined);
  const repair = options.repair === true ? new Repair(store) : null;
  const examination = new Examination(store, repair ?? NO_REMEDIES, progress);
  examination.run();
  problems.push(...examination.problems);
  let repaired = 0;
  if (repair !== null && problems.length > 0) {
    // First, for repairs look for messages where the counters say that some are.
    await repair.setCounters(examination.counted);
    repaired = await repair.run();
    const again = new Examination(store, NO_REMEDIES, () => undefined);
    again.run();
    await repair.setCounters(again.counted);
    repaired += problems.filter(({ code }) => code.startsWith('counters')).length;
  }
  const { size } = store.queues;
  const { messages } = examination;
  return { path, format: facts.format, queues: size, messages, problems, repaired };
}

/** @returns what is wrong with the counters themselves */
function loadQueues(store: LmdbStore): Problem[] {
  const problems: Problem[] = [];
  const { salt } = store.facts;
  for (const { kind, number, name } of entriesOf(store)) {
    store.numbers.add(number);
    if (kind === 'queue') store.queues.set(number, new QueueState(number, name, salt));
  }
  for (const { key, value } of store.tables.counters.getRange()) {
    const number = get32(key, 0);
    const stored = Counters.decode(value);
    const name = stored?.name ?? store.queues.get(number)?.name ?? `#${number}`;
    if (stored === undefined) {
      const message = `The counters of '${name}' do not match their checksum.`;
      problems.push({ code: 'counters-damaged', message });
    }
    store.queues.set(number, new QueueState(number, name, salt, stored?.counters));
    store.notBefore(stored?.counters.lastTime ?? 0);
  }
  for (const key of store.tables.graveyard.getKeys()) {
    store.buried.add(get32(key, 0));
  }
  return problems;
}

/**
 * Writes a copy and puts it in the store's place. A crash leaves the one or the other, whole.
 * @returns the store, open again
 */
async function compact(root: Root, path: string): Promise<Root> {
  const copy = join(path, COPY_FOLDER);
  rmSync(copy, { force: true, recursive: true });
  mkdirSync(copy);
  await root.backup(copy, true);
  const file = join(copy, DATA_FILE);
  sync(file);
  await root.close();
  renameSync(file, join(path, DATA_FILE));
  sync(path);
  rmSync(copy, { force: true, recursive: true });
  return openRoot(path);
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
