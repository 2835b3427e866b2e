/** A broker in a process of its own, to be measured: its configuration as JSON is the argument. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type BrokerConfigInput, serve } from '../../../src/index.ts';

export interface Said {
  readonly amqpPort?: number;
  /** Bytes, after a collection. */
  readonly memory?: { readonly rss: number; readonly used: number };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const config = JSON.parse(process.argv[2]!) as BrokerConfigInput;
const broker = await serve({ store: 'memory:', port: 0, log: { level: 'silent' }, ...config });
process.once('disconnect', () => {
  void broker.close({ deadline: 0 }).finally(() => process.exit());
});
process.on('message', () => {
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send!({ memory: { rss, used: heapUsed + external } } satisfies Said);
});
process.send!({ amqpPort: broker.amqpPort! } satisfies Said);
