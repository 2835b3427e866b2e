/** Serves AMQP for the store named by the first argument, on a free port of loopback. */
import { serve } from 'wherry-server';
import type { Served } from '../workloads/broker.ts';

const store = process.argv[2]!;
const broker = await serve({ store, port: 0, amqp: { port: 0 }, log: { level: 'silent' } });
process.once('disconnect', () => {
  void broker.close().finally(() => process.exit());
});
const url = `amqp://guest:guest@127.0.0.1:${broker.amqpPort}/`;
process.send!({ url } satisfies Served);
