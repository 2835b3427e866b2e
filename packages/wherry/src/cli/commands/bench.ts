import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { type BenchPhase, measure } from '../bench.ts';
import { InterruptedError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { startProgress } from '../progress.ts';
import { storeDirectory, withStore } from '../store.ts';
import { plural } from '../units.ts';
import { byteCount, integer } from '../values.ts';

interface BenchOptions {
  readonly messages: number;
  readonly size: number;
}

const MESSAGES_MAX = 10_000_000;
/** Payloads are JSON objects: shorter ones would hold nothing. */
const SIZE_MIN = 16;
const SIZE_MAX = 1024 * 1024;

/** What a resolved call of the store survives, in words. */
const SURVIVES: Readonly<Record<string, string>> = {
  none: 'nothing survives the process',
  process: 'what was confirmed survives the process',
  power: 'what was confirmed survives a power cut',
};

export function registerBench(program: Command, line: CommandLine): void {
  const bench = program
    .command('bench')
    .description('measure the store on this machine with a queue of its own, deleted afterwards')
    .option('--messages <n>', 'messages to send and consume', integer(1, MESSAGES_MAX), 50_000)
    .option('--size <bytes>', 'bytes of a payload', byteCount, 100);
  addExamples(bench, {
    'A first impression': 'wherry bench',
    'On another disk, with larger messages':
      'wherry bench --store /mnt/data/try --messages 20000 --size 4kb',
    'Without a disk': 'wherry bench --store memory:',
  });
  line.handle<BenchOptions>(bench, async (invocation, { messages, size }) => {
    const bytes = Math.min(Math.max(size, SIZE_MIN), SIZE_MAX);
    const { io, output, signal, storeUrl } = invocation;
    const directory = storeDirectory(storeUrl);
    const isOwn = directory !== null && !existsSync(directory);
    const progress = await startProgress(io.stderr, null);
    let phases: BenchPhase[];
    let durability = '';
    try {
      phases = await withStore(invocation, { create: true }, (mq) => {
        durability = mq.storage.supports.durability;
        return measure(mq, {
          messages,
          bytes,
          signal,
          onPhase: (name) => progress.update(0, name),
        });
      });
    } catch (error) {
      throw signal.aborted ? new InterruptedError() : error;
    } finally {
      progress.stop();
      if (isOwn) await rm(directory, { recursive: true, force: true });
    }
    if (output.json) {
      await output.result('', { durability, messages, bytes, phases });
      return EXIT.ok;
    }
    await output.write(
      `${plural(messages, 'message')} of ${bytes} bytes; ${SURVIVES[durability] ?? ''}.\n`,
    );
    await output.table(phases, {
      PHASE: (phase) => phase.name,
      MESSAGES: (phase) => phase.messages,
      'PER SECOND': (phase) => phase.perSecond,
      'P50 MS': (phase) => phase.p50Ms,
      'P99 MS': (phase) => phase.p99Ms,
    });
    return EXIT.ok;
  });
}
