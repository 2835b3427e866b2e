/**
 * `npm run test:crash:amqp [-- --kills N --minutes N --seed N]`: brokers are killed on each store
 * in turn until there were enough kills on each (default 100) or the time is up. Exit code 1 when
 * something confirmed was lost, or something acknowledged came again.
 */
import { parseArgs } from 'node:util';
import { Random } from '../../../../wherry/test/crash/random.ts';
import { runCrashes } from './crash-run.ts';
import { CASES } from './crash-stores.ts';

/** After so many the queue must become empty. */
const KILLS_PER_ROUND = 10;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
  },
});
const [kills, minutes, seed] = [values.kills, values.minutes, values.seed].map(wholeNumber);

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`'${text}' is no whole number above 0.`);
  process.exit(2);
}

const random = new Random(seed!);
const deadline = performance.now() + minutes! * 60_000;
let isBroken = false;
const totals = new Map(Object.keys(CASES).map((name) => [name, 0]));

while (performance.now() < deadline && [...totals.values()].some((total) => total < kills!)) {
  for (const [name, { start, brokers }] of Object.entries(CASES)) {
    const left = kills! - totals.get(name)!;
    if (left <= 0 || performance.now() > deadline) continue;
    const store = await start();
    try {
      const count = Math.min(left, KILLS_PER_ROUND);
      const next = (): number => random.next();
      const report = await runCrashes({ store: store.url, brokers, kills: count, random: next });
      totals.set(name, totals.get(name)! + count);
      isBroken ||= report.lost.length + report.violations.length > 0;
      for (const violation of report.violations.slice(0, 20)) console.log(violation);
      console.log(
        `${name}: ${totals.get(name)} kills, ${report.confirmed} confirmed, ` +
          `${report.deliveries} deliveries, ${report.redeliveries} redelivered, ` +
          `${report.acknowledged} acknowledged, lost ${report.lost.length}, ` +
          `violations ${report.violations.length}`,
      );
    } finally {
      await store.stop();
    }
  }
}
console.log(
  `seed ${seed}: ${isBroken ? 'broken' : 'nothing lost, nothing acknowledged came again'}`,
);
process.exitCode = isBroken ? 1 : 0;
