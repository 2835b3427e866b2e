import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { callBroker } from '../broker-api.ts';
import { InterruptedError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import { openInput } from '../input.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { writeTo } from '../output.ts';
import { writeFile } from '../whole-file.ts';

interface Remark {
  readonly kind: string;
  readonly name: string;
  readonly detail: string;
}

/** What a broker answers to an import. */
interface Report {
  readonly taken: Readonly<Record<string, number>>;
  readonly changed: readonly Remark[];
  readonly left_out: readonly Remark[];
}

const WHAT = 'Definitions';

export function registerDefinitions(program: Command, line: CommandLine): void {
  const group = program
    .command('definitions')
    .description(
      "a broker's users, permissions, queues, exchanges and bindings, as RabbitMQ's JSON",
    );
  registerExport(group, line);
  registerImport(group, line);
}

function registerExport(group: Command, line: CommandLine): void {
  const command = group
    .command('export')
    .description('write the definitions of a broker, or of one virtual host')
    .argument('[file]', 'the file (default: standard output)');
  addExamples(command, {
    'All of a broker':
      'wherry definitions export definitions.json --store http://root:secret@127.0.0.1:7470',
    'One virtual host':
      'wherry definitions export --store http://root:secret@127.0.0.1:7470/vhosts/shop',
    "A RabbitMQ's": 'wherry definitions export --store http://guest:guest@rabbitmq:15672',
  });
  line.handle(command, async (invocation, _options, [file = '-']) => {
    const text = await callBroker(invocation, WHAT, { method: 'GET', path: pathOf });
    if (file === '-') return invocation.output.write(`${text}\n`);
    await writeFile(file, (to) => writeTo(to, `${text}\n`));
    return invocation.output.result(`Exported the definitions to ${file}.`, { file });
  });
}

function registerImport(group: Command, line: CommandLine): void {
  const command = group
    .command('import')
    .description('give a broker, or one virtual host, the definitions of a file')
    .argument('[file]', 'the file (default: standard input)');
  command.addHelpText(
    'after',
    `
What is there already stays if it is the same. What was taken otherwise than the file has it, and what
was left out, is told with the reason; an entry that is wrong does not keep out the others.`,
  );
  addExamples(command, {
    'From a file':
      'wherry definitions import definitions.json --store http://root:secret@127.0.0.1:7470',
    'From a RabbitMQ':
      'wherry definitions export --store http://guest:guest@rabbitmq:15672 | ' +
      'wherry definitions import --store http://root:secret@127.0.0.1:7470',
  });
  line.handle(command, async (invocation, _options, [file = '-']) => {
    const body = await read(invocation, file === '-' ? null : file);
    const answer = await callBroker(invocation, WHAT, { method: 'POST', path: pathOf, body });
    return show(invocation, answer);
  });
}

function pathOf(vhost: string | null): string {
  return vhost === null ? '/api/definitions' : `/api/definitions/${vhost}`;
}

async function read(invocation: Invocation, file: string | null): Promise<Buffer> {
  const { stream } = await openInput(invocation, file);
  try {
    return await buffer(stream);
  } catch (error) {
    throw invocation.signal.aborted ? new InterruptedError() : error;
  }
}

async function show({ output }: Invocation, answer: string): Promise<ExitCode> {
  // RabbitMQ itself says nothing more than that it has taken the file.
  const report: Report =
    answer === '' ? { taken: {}, changed: [], left_out: [] } : (JSON.parse(answer) as Report);
  const { taken, changed, left_out: leftOut } = report;
  const counts = Object.entries(taken)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind} ${count}`);
  await output.result(`Taken: ${counts.join(', ') || 'nothing that is counted'}.`, report);
  for (const remark of changed) output.note(`changed: ${textOf(remark)}`);
  for (const remark of leftOut) output.note(`left out: ${textOf(remark)}`);
  // What no broker of ours knows, every RabbitMQ exports: its cluster's name is a parameter.
  return leftOut.some(({ kind }) => kind in taken) ? EXIT.partial : EXIT.ok;
}

function textOf({ kind, name, detail }: Remark): string {
  return `${kind}${name === '' ? '' : ` '${name}'`}: ${detail}`;
}
