import type { Command } from 'commander';
import { examine } from '../examination.ts';
import { EXIT } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { startProgress } from '../progress.ts';
import { printable } from '../table.ts';
import { plural } from '../units.ts';

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
    .description('check that the parts of a store agree, and what its server is set to')
    .argument('[store]', 'the store (default: --store); a folder must not be open elsewhere')
    .option('--repair', 'mend what can be mended without guessing')
    .option('--compact', "give the free space of a folder's file back");
  addExamples(command, {
    'Check the store': 'wherry doctor',
    'Check, mend and compact another one': 'wherry doctor /var/lib/app/queues --repair --compact',
    'Check one on a server': 'wherry doctor redis://127.0.0.1:6379',
  });
  line.handle<DoctorOptions>(command, async ({ io, output, storeUrl }, options, [store]) => {
    const progress = await startProgress(io.stderr, null);
    const examination = await examine(store ?? storeUrl, {
      repair: options.repair ?? false,
      compact: options.compact ?? false,
      onProgress: (checked) => progress.update(checked, `${plural(checked, 'message')} checked`),
    }).finally(() => progress.stop());
    const { report, facts, problems, repaired, warnings } = examination;
    const tell = (style: 'red' | 'yellow') => (finding: { code: string; message: string }) =>
      `${output.style(io.stdout, style, finding.code)}: ${printable(finding.message)}`;
    const lines = [
      ...facts.map(printable),
      ...warnings.map(tell('yellow')),
      ...problems.map(tell('red')),
      problems.length === 0
        ? output.style(io.stdout, 'green', 'No problems found.')
        : `${plural(problems.length, 'problem')} found, ${repaired} repaired.`,
    ];
    if (problems.length > repaired) lines.push(options.repair ? BEYOND_REPAIR : REPAIRABLE);
    await output.result(lines.join('\n'), report);
    return problems.length > repaired ? EXIT.failed : EXIT.ok;
  });
}
