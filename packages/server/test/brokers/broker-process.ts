/** A broker in a process of its own, to be killed: `STORE PORT`. Says its URL when it listens. */
import { serve } from '../../src/index.ts';

const [, , store, port = '0'] = process.argv;
const broker = await serve({ store: store!, port: Number(port), log: { level: 'silent' } });
process.once('disconnect', () => {
  void broker.close().finally(() => process.exit());
});
process.send!({ url: broker.url });
