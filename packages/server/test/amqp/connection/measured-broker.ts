import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BrokerConfigInput } from '../../../src/config/config.ts';
import type { Measures, Said } from './amqp-process.ts';

/** A broker in a process of its own. */
export interface MeasuredBroker {
  readonly port: number;
  /** What its process has in use. */
  readonly measure: () => Promise<Measures>;
  readonly stop: () => void;
}

export async function startMeasured(config: BrokerConfigInput): Promise<MeasuredBroker> {
  const file = fileURLToPath(new URL('amqp-process.ts', import.meta.url));
  const child = fork(file, [JSON.stringify(config)], { execArgv: ['--import', 'tsx'] });
  const [{ amqpPort }] = (await once(child, 'message')) as [Said];
  return {
    port: amqpPort!,
    stop: () => void child.kill('SIGKILL'),
    measure: async () => {
      child.send('measure');
      const [{ measures }] = (await once(child, 'message')) as [Said];
      return measures!;
    },
  };
}
