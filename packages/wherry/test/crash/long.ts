/**
 * `npm run test:crash [-- --kills N --minutes N --seed N]`: rounds of kills until there were enough
 * (default 200) or the time is up, each checked by itself. Exit code 1 when a rule was broken.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Coverage, shortfalls } from './checker/coverage.ts';
import { describeViolations } from './checker/findings.ts';
import { monotonicNow } from './history.ts';
import { runCrashes } from '../drivers/remote/share/crash-run.ts';
import { runRound } from './round.ts';

/** After so many the store is drained and its history checked: it must fit into memory. */
const KILLS_PER_ROUND = 25;

/** Then, of processes that share a folder, one for so many; and how far apart. */
const KILLS_PER_SHARED_KILL = 10;
const SHARED_KILL_EVERY_MS = 400;

/** Of each kill on average; less, and the run has shown nothing. */
const FLOORS_PER_KILL: Partial<Coverage> = {
  killsAtWork: 0.4,
  confirmedSends: 15,
  deliveries: 20,
  redeliveries: 2,
  deadLetters: 0.5,
  stableAudits: 0.4,
  ordered: 2,
  grouped: 2,
};

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
  },
});
const [kills, minutes, firstSeed] = [values.kills, values.minutes, values.seed].map(wholeNumber);

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`'${text}' is no whole number above 0.`);
  process.exit(2);
}

const totals: Partial<Record<keyof Coverage, number>> = {};
const broken: string[] = [];
const seeds: number[] = [];
const folder = mkdtempSync(join(tmpdir(), 'wherry-crash-'));
const deadline = monotonicNow() + minutes! * 60_000;
let isInvalid = false;

const total = (name: keyof Coverage): number => totals[name] ?? 0;

while (total('kills') < kills! && monotonicNow() < deadline) {
  const seed = firstSeed! + seeds.length;
  seeds.push(seed);
  const count = Math.min(KILLS_PER_ROUND, kills! - total('kills'));
  const roundFolder = join(folder, String(seed));
  const before = total('kills');
  const onEnd = (killed: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${before + killed}/${kills} kills `);
  };
  const round = await runRound({ seed, kills: count, folder: roundFolder, onEnd });
  for (const [name, value] of Object.entries(round.coverage) as [keyof Coverage, number][]) {
    totals[name] = total(name) + value;
  }
  console.log(
    `${process.stderr.isTTY ? '\r' : ''}seed ${seed}: ${round.coverage.kills} kills, ` +
      `${round.coverage.confirmedSends} confirmed sends, ${round.violations.length} violations`,
  );
  for (const { rule } of round.violations) broken.push(rule);
  if (round.violations.length === 0) rmSync(roundFolder, { recursive: true });
  else console.log(`${describeViolations(round.violations)}\nThe history: ${round.history}`);
}

const floors = Object.fromEntries(
  Object.entries(FLOORS_PER_KILL).map(([name, perKill]) => [name, perKill * total('kills')]),
);
for (const shortfall of shortfalls({ ...totals } as Coverage, floors)) {
  isInvalid = true;
  console.log(`The run is not valid: ${shortfall}.`);
}
const brokenTimes = (rules: readonly string[]): number =>
  broken.filter((rule) => rules.includes(rule)).length;
console.log(
  `${total('kills')} kills (${total('killsAtWork')} at work, ${total('killsAtOpening')} at opening), ` +
    `${total('confirmedSends')} confirmed sends, ${total('deliveries')} deliveries, ` +
    `${total('redeliveries')} redeliveries, ${total('deadLetters')} dead letters, ` +
    `lost ${brokenTimes(['lost', 'torn'])}, doubled ${brokenTimes(['doubled', 'acknowledged-again'])}, ` +
    `other violations ${broken.length - brokenTimes(['lost', 'torn', 'doubled', 'acknowledged-again'])}, ` +
    `seeds ${seeds[0]} to ${seeds.at(-1)}`,
);
const shared = await runCrashes(Math.ceil(kills! / KILLS_PER_SHARED_KILL), SHARED_KILL_EVERY_MS);
console.log(
  `a folder of four processes: ${shared.kills.owners} owners and ${shared.kills.clients} others killed, ` +
    `${shared.confirmed} confirmed sends, none lost, ${shared.again} handled again`,
);
if (broken.length === 0) rmSync(folder, { recursive: true });
process.exitCode = broken.length > 0 || isInvalid ? 1 : 0;
