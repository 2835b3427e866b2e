/**
 * A broker in a process of its own, to be killed: `STORE PORT [CONFIG]`, the last as JSON. Says
 * where it listens. It serves AMQP only if told to.
 */
import { type BrokerConfigInput, serve } from '../../src/index.ts';
import { CHEAP } from '../broker.ts';

const [, , store, port = '0', more = '{}'] = process.argv;
const config = {
  store: store!,
  port: Number(port),
  amqp: { enabled: false },
  log: { level: 'silent' },
  ...(JSON.parse(more) as BrokerConfigInput),
} as const;
const broker = await serve(config, { passwords: { cost: CHEAP } });
process.once('disconnect', () => {
  void broker.close().finally(() => process.exit());
});
process.send!({ url: broker.url, amqpPort: broker.amqpPort });
