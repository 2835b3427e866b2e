/**
 * `npm run compare:rabbitmq [-- FAMILY...]`: runs the scenarios of the foreign clients against a
 * RabbitMQ and against ours, each on a free port in a temporary folder, and prints where what they
 * saw differs. `--record` keeps what RabbitMQ said as what the tests expect. Installs what is
 * missing if it runs as root. Exit code: 0 every difference is listed in docs/amqp.md; 1 one is not;
 * 2 a program is missing.
 */
import { writeFileSync } from 'node:fs';
import { WherryBroker } from '../packages/server/test/amqp/clients/broker.ts';
import { type Difference, differences } from '../packages/server/test/amqp/clients/compare.ts';
import { FAMILIES } from '../packages/server/test/amqp/clients/families.ts';
import {
  KNOWN_DIFFERENCES,
  knownDifference,
} from '../packages/server/test/amqp/clients/known-differences.ts';
import { RabbitMq } from '../packages/server/test/amqp/clients/rabbitmq.ts';
import {
  expectedFile,
  type Line,
  runClient,
} from '../packages/server/test/amqp/clients/run-client.ts';
import { missingPackages, notInstalled, providePackages } from './system-packages.ts';
import { formatTally, paint, type Tally } from './terminal.ts';

async function main(args: readonly string[]): Promise<number> {
  const isRecording = args.includes('--record');
  const chosen = args.filter((arg) => !arg.startsWith('--'));
  const names = chosen.length > 0 ? chosen : Object.keys(FAMILIES);
  const unknown = names.find((name) => !(name in FAMILIES));
  if (unknown !== undefined) {
    console.error(paint('red', `${unknown} is none of ${Object.keys(FAMILIES).join(', ')}.`));
    return 1;
  }
  const missing = [...missingPackages(), ...notInstalled(['rabbitmq-server'])];
  if (missing.length > 0 && !(await providePackages(missing))) return 2;

  await using rabbitmq = await RabbitMq.start();
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    const expected = await runClient(name, rabbitmq);
    if (isRecording) writeFileSync(expectedFile(name), toLines(expected));
    await using wherry = await WherryBroker.start();
    const found = differences(expected, await runClient(name, wherry));
    const isFine = found.every(({ step }) => knownDifference(name, step) !== undefined);
    tally[isFine ? 'passed' : 'failed'] += 1;
    const word = isFine ? paint('green', 'ok    ') : paint('red', 'FAILED');
    console.log(
      `${word} ${name}  ${paint('dim', `${expected.length} steps, ${found.length} differ`)}`,
    );
    for (const difference of found) printDifference(name, difference);
    printOutdated(name, found);
  }
  console.log(`\n${formatTally(tally)}`);
  return tally.failed === 0 ? 0 : 1;
}

function printDifference(name: string, { step, expected, actual }: Difference): void {
  const known = knownDifference(name, step);
  console.log(`       ${paint(known === undefined ? 'red' : 'dim', step)}  ${known?.reason ?? ''}`);
  console.log(paint('dim', `         RabbitMQ: ${JSON.stringify(expected)}`));
  console.log(paint('dim', `         Wherry:   ${JSON.stringify(actual)}`));
}

/** What is listed but does not differ should not be listed any more. */
function printOutdated(name: string, found: readonly Difference[]): void {
  const steps = new Set(found.map(({ step }) => step));
  for (const [family, step] of KNOWN_DIFFERENCES.flatMap((known) => known.steps)) {
    if (family === name && !steps.has(step))
      console.log(`       ${step} is listed but does not differ`);
  }
}

function toLines(transcript: readonly Line[]): string {
  return transcript.map((line) => `${JSON.stringify(line)}\n`).join('');
}

process.exitCode = await main(process.argv.slice(2));
