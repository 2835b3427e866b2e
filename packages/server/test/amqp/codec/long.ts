/**
 * `npm run fuzz:amqp [-- --minutes N] [-- --seed N]`: decodes changed AMQP frames for so long
 * (default 10 minutes). Exit code 1 when one had another outcome than a value or an AmqpError.
 */
import { parseArgs } from 'node:util';
import { fuzzDecoder } from './fuzz-decoder.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('--minutes takes a number above 0, --seed a whole one.');
  process.exit(2);
}
console.log(`seed ${seed}`);
const end = performance.now() + minutes * 60_000;
try {
  const { cases, decoded, refused } = fuzzDecoder(seed, () => performance.now() >= end);
  console.log(`${cases} frames: ${decoded} decoded, ${refused} refused`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
