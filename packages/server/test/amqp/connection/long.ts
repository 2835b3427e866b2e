/**
 * `npm run crowd:amqp [-- --connections N] [-- --heartbeat SECONDS] [-- --seconds N]`: what so many
 * idle AMQP connections cost a broker (default 10,000, heartbeats every 60 s, looked at for 30 s).
 * Each needs two open files: see `ulimit -n`. Exit code 1 when the broker has closed one.
 */
import { parseArgs } from 'node:util';
import { Crowd } from './crowd.ts';
import { startMeasured } from './measured-broker.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    heartbeat: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '30' },
  },
});
const size = Number(values.connections);
const heartbeat = Number(values.heartbeat);
const seconds = Number(values.seconds);
if (!(size > 0 && heartbeat >= 0 && seconds > 0)) {
  console.error('--connections and --seconds take numbers above 0, --heartbeat one from 0 on.');
  process.exit(2);
}
const amqp = { port: 0, connections: size, handshakeTimeout: '60s' } as const;
const broker = await startMeasured({ amqp });
try {
  const before = await broker.measure();
  const began = performance.now();
  const crowd = await Crowd.open(broker.port, size, heartbeat);
  const took = (performance.now() - began) / 1_000;
  const open = await broker.measure();
  const kib = (bytes: number): string => `${(bytes / size / 1_024).toFixed(1)} KiB`;
  console.log(`${size} connections in ${took.toFixed(1)} s, ${Math.round(size / took)} a second`);
  console.log(
    `${kib(open.rss - before.rss)} resident for each, ${kib(open.used - before.used)} used`,
  );
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const after = await broker.measure();
  const share = (100 * (after.cpu - open.cpu)) / seconds;
  console.log(`${share.toFixed(2)} % of a processor with a heartbeat every ${heartbeat} s`);
  if (crowd.closed > 0) throw new Error(`The broker has closed ${crowd.closed} of them`);
  crowd.leave();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  broker.stop();
}
