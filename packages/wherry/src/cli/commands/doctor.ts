import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { startProgress } from '../progress.ts';
import { requireStore, storeDirectory } from '../store.ts';
import { printable } from '../table.ts';
import { formatBytes, plural } from '../units.ts';

interface DoctorOptions {
  readonly repair?: true;
  readonly compact?: true;
}

const REPAIRABLE = 'Mend what can be mended with: wherry doctor --repair';
const BEYOND_REPAIR =
  'The rest cannot be mended. A damaged message goes to the dead letters when it is taken.';

export function registerDoctor(program: Command, line: CommandLine): void {
  const command = program
    .command('doctor')
    .description('check a store that no process has open: counts, indexes, checksums')
    .argument('[dir]', "the store's folder (default: --store)")
    .option('--repair', 'mend what can be mended without guessing')
    .option('--compact', 'give the free space of the file back');
  addExamples(command, {
    'Check the store': 'wherry doctor',
    'Check, mend and compact another one': 'wherry doctor /var/lib/app/queues --repair --compact',
  });
  line.handle<DoctorOptions>(command, async ({ io, output, storeUrl }, options, [dir]) => {
    const directory = storeDirectory(dir ?? storeUrl);
    if (directory === null) {
      throw new UsageError(`doctor checks stores in folders; '${dir ?? storeUrl}' is none.`);
    }
    requireStore(directory);
    const { doctor } = await import('../../drivers/lmdb/doctor.ts');
    const progress = await startProgress(io.stderr, null);
    const report = await doctor(directory, {
      repair: options.repair ?? false,
      compact: options.compact ?? false,
      onProgress: (checked) => progress.update(checked, `${plural(checked, 'message')} checked`),
    }).finally(() => progress.stop());
    const { problems, repaired, compacted } = report;
    const lines = [
      `Store ${report.path}, format ${report.format}: ` +
        `${plural(report.queues, 'queue')}, ${plural(report.messages, 'message')}.`,
      ...problems.map(
        ({ code, message }) => `${output.style(io.stdout, 'red', code)}: ${printable(message)}`,
      ),
      problems.length === 0
        ? output.style(io.stdout, 'green', 'No problems found.')
        : `${plural(problems.length, 'problem')} found, ${repaired} repaired.`,
    ];
    if (problems.length > repaired) lines.push(options.repair ? BEYOND_REPAIR : REPAIRABLE);
    if (compacted !== undefined) {
      lines.push(
        `Compacted from ${formatBytes(compacted.before)} to ${formatBytes(compacted.after)}.`,
      );
    }
    await output.result(lines.join('\n'), report);
    return problems.length > repaired ? EXIT.failed : EXIT.ok;
  });
}
