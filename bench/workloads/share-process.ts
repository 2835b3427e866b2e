/** Owns the folder named by the first argument, and serves it to whoever shares it. */
import { join } from 'node:path';
import { MessageQueueSystem } from 'wherry';
import type { Served } from './broker.ts';

const folder = process.argv[2]!;
const mq = await MessageQueueSystem.open({ storage: folder, share: true });
process.once('disconnect', () => {
  void mq.close().finally(() => process.exit());
});
process.send!({ url: `unix:${join(folder, 'store.sock')}` } satisfies Served);
