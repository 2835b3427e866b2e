/** Serves the store named by the first argument on a free port of loopback. */
import { serve } from 'wherry-server';
import type { Served } from './broker.ts';

const broker = await serve({
  store: process.argv[2]!,
  port: 0,
  amqp: { enabled: false },
  log: { level: 'silent' },
});
process.once('disconnect', () => {
  void broker.close().finally(() => process.exit());
});
process.send!({ url: broker.url } satisfies Served);
