import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { InterruptedError } from '../errors.ts';
import { addExamples } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { writeTo } from '../output.ts';
import { startProgress } from '../progress.ts';
import { requireStore, storageOf } from '../store.ts';
import { plural } from '../units.ts';
import { writeFile } from '../whole-file.ts';

interface ExportOptions {
  readonly queue?: readonly string[];
}

export function registerExport(program: Command, line: CommandLine): void {
  const command = program
    .command('export')
    .description('write queues with their messages to a file, a line of JSON each; takes nothing')
    .argument('<file>', "the file, or '-' for standard output")
    .option('--queue <queue...>', 'only these queues, and the exchanges that lead to them');
  addExamples(command, {
    'Everything in the store': 'wherry export store.ndjson',
    'One queue, compressed': 'wherry export --queue orders - | gzip > orders.ndjson.gz',
    'Into another store': 'wherry export - | wherry import - --store redis://127.0.0.1:6379',
  });
  line.handle<ExportOptions>(command, async (invocation, options, [file = '-']) => {
    requireStore(invocation.storeUrl);
    if (file === '-') {
      const messages = await write(invocation, options, invocation.output.stdout);
      invocation.output.note(`Exported ${plural(messages, 'message')}.`);
      return;
    }
    const messages = await writeFile(file, (to) => write(invocation, options, to));
    const text = `Exported ${plural(messages, 'message')} to ${file}.`;
    await invocation.output.result(text, { file, messages });
  });
}

async function write(
  { io, storeUrl, signal }: Invocation,
  { queue }: ExportOptions,
  to: Writable,
): Promise<number> {
  const { withParts } = await import('../../with-parts.ts');
  const { exportStore } = await import('../../core/transfer/export.ts');
  const { SystemClock } = await import('../../index.ts');
  const progress = await startProgress(io.stderr, null);
  const id = randomBytes(6).toString('hex');
  try {
    return await withParts(await storageOf(storeUrl, io), new SystemClock(), async (parts) => {
      let written = 0;
      for await (const { text, messages } of exportStore(parts, { queues: queue, id })) {
        if (signal.aborted) throw new InterruptedError();
        await writeTo(to, text);
        written = messages;
        progress.update(0, plural(messages, 'message'));
      }
      return written;
    });
  } finally {
    progress.stop();
  }
}
