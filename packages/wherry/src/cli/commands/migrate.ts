import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { PlannedQueue, TransferredQueue, TransferResult } from '../../index.ts';
import { InterruptedError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples, given } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { type Progress, prepareProgress } from '../progress.ts';
import { requireStore, storageOf, storeDirectory } from '../store.ts';
import { formatBytes, plural } from '../units.ts';
import { duration } from '../values.ts';

interface MigrateOptions {
  readonly from?: string;
  readonly to: string;
  readonly queue?: readonly string[];
  readonly wait?: number;
  readonly keepSettings?: true;
  readonly dryRun?: true;
}

export function registerMigrate(program: Command, line: CommandLine): void {
  const migrate = program
    .command('migrate')
    .description('move queues with their messages from one store to another')
    .requiredOption('--to <url|dir>', 'the store that they go to')
    .option('--from <url|dir>', 'the store that they come from (default: --store)')
    .option('--queue <queue...>', 'only these queues, and the exchanges that lead to them')
    .option(
      '--wait <duration>',
      'wait so long for messages that a consumer holds, and for room (default: 0)',
      duration,
    )
    .option('--keep-settings', 'let queues that are there with other settings keep them')
    .option('--dry-run', 'say what there is to do, and do nothing');
  migrate.addHelpText(
    'after',
    `
Interrupted or killed, it is finished by running it again, with the same target; each message is then
in one of the two stores, once. Messages that a consumer holds are left where they are. Both stores
may be in use: start consumers at the target, let producers send there, then migrate the rest.`,
  );
  addExamples(migrate, {
    'What there is to do':
      'wherry migrate --from ./wherry-data --to redis://127.0.0.1:6379 --dry-run',
    'Everything, from a folder to a server':
      'wherry migrate --from ./wherry-data --to redis://127.0.0.1:6379',
    'One queue, with patience for what is in work':
      'wherry migrate --from redis://127.0.0.1 --to postgres://127.0.0.1/app --queue orders --wait 5m',
  });
  line.handle<MigrateOptions>(migrate, async (invocation, options) => {
    const from = options.from ?? invocation.storeUrl;
    requireStore(from);
    return options.dryRun
      ? showPlan(invocation, from, options)
      : moveAll(invocation, from, options);
  });
}

async function showPlan(
  { io, output }: Invocation,
  from: string,
  { to, queue }: MigrateOptions,
): Promise<void> {
  const { planMigration } = await import('../../index.ts');
  const directory = storeDirectory(to);
  const isThere = directory === null || existsSync(directory);
  const plan = await planMigration({
    from: await storageOf(from, io),
    ...given({ to: isThere ? await storageOf(to, io) : undefined, queues: queue }),
  });
  if (output.json) return output.jsonLine(plan);
  await output.table<PlannedQueue>(plan.queues, {
    QUEUE: (row) => row.name,
    READY: (row) => row.ready,
    SCHEDULED: (row) => row.scheduled,
    LEASED: (row) => row.leased,
    SIZE: (row) => formatBytes(row.bytes),
    'AT THE TARGET': (row) => {
      if (!row.exists) return 'new';
      return row.differing.length === 0 ? 'there' : `other ${row.differing.join(', ')}`;
    },
  });
  await output.write(`${countOthers(plan)}. Nothing was changed.\n`);
}

async function moveAll(
  { io, output, signal }: Invocation,
  from: string,
  { to, queue, wait, keepSettings }: MigrateOptions,
): Promise<ExitCode> {
  const { migrate } = await import('../../index.ts');
  const startBar = await prepareProgress(io.stderr);
  let bar: Progress | undefined;
  let result: TransferResult;
  try {
    result = await migrate({
      from: await storageOf(from, io),
      to: await storageOf(to, io),
      ...given({ queues: queue, wait, keepSettings }),
      signal,
      onProgress: (progress) => {
        bar ??= startBar(progress.total);
        bar.update(progress.moved, `${plural(progress.moved, 'message')}, ${progress.queue}`);
      },
    });
  } catch (error) {
    throw signal.aborted ? new InterruptedError() : error;
  } finally {
    bar?.stop();
  }
  const left = result.queues.filter(hasLeft);
  if (output.json) await output.jsonLine(result);
  else {
    await output.table<TransferredQueue>(result.queues, {
      QUEUE: (row) => row.name,
      MOVED: (row) => row.moved,
      LEFT: (row) => leftOf(row),
      WHY: (row) => (hasLeft(row) ? reasonOf(row) : ''),
    });
    const { moved, left: held } = result.schedules;
    const heldBack =
      held.length === 0 ? '' : `; left, since a tick is under way: ${held.join(', ')}`;
    await output.write(`${countOthers({ ...result, schedules: moved })}${heldBack}.\n`);
  }
  return left.length + result.schedules.left.length === 0 ? EXIT.ok : EXIT.partial;
}

function countOthers(counts: { exchanges: number; bindings: number; schedules: number }): string {
  const { exchanges, bindings, schedules } = counts;
  return [
    plural(exchanges, 'exchange'),
    plural(bindings, 'binding'),
    plural(schedules, 'schedule'),
  ].join(', ');
}

function hasLeft(queue: TransferredQueue): boolean {
  return leftOf(queue) > 0;
}

function leftOf({ left }: TransferredQueue): number {
  return left.ready + left.scheduled + left.leased;
}

function reasonOf({ refusal, isVolatile, damaged, left }: TransferredQueue): string {
  if (isVolatile) return 'not durable: at the target they would be in memory only';
  if (refusal !== null) return `no room at the target (${refusal})`;
  if (damaged > 0) return `${damaged} damaged`;
  return left.leased > 0 ? `${left.leased} held by consumers` : 'came meanwhile';
}
