/** A broker in a process of its own, to be measured: its configuration as JSON is the argument. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type BrokerConfigInput, serve } from '../../../src/index.ts';

export interface Said {
  readonly amqpPort?: number;
  readonly measures?: Measures;
}

/** Bytes, after a collection. */
export interface Measures {
  readonly rss: number;
  readonly used: number;
  /** Seconds of processor time since it began, without the collection's. */
  readonly cpu: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Microseconds. */
let collecting = 0;
const config = JSON.parse(process.argv[2]!) as BrokerConfigInput;
const broker = await serve({ store: 'memory:', port: 0, log: { level: 'silent' }, ...config });
process.once('disconnect', () => {
  void broker.close({ deadline: 0 }).finally(() => process.exit());
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  collect();
  const { user: userNow, system: systemNow } = process.cpuUsage();
  collecting += userNow + systemNow - user - system;
  const { rss, heapUsed, external } = process.memoryUsage();
  const cpu = (userNow + systemNow - collecting) / 1e6;
  process.send!({ measures: { rss, used: heapUsed + external, cpu } } satisfies Said);
});
process.send!({ amqpPort: broker.amqpPort! } satisfies Said);
