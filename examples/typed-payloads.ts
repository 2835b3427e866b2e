/**
 * A queue with a schema (zod here; valibot, arktype or any Standard Schema do as well): payloads
 * are typed by it, and one that does not fit is refused when it is sent.
 */
import { MessageQueueSystem, ValidationError } from 'wherry';
import * as z from 'zod';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

const order = z.object({
  item: z.string().min(1),
  quantity: z.int().positive(),
  currency: z.enum(['EUR', 'USD']).default('EUR'),
});

await using folder = await temporaryFolder();
await using mq = await MessageQueueSystem.open({ storage: folder.path });
const orders = await mq.createQueue({ name: 'orders', schema: order });

await mq.createConsumer({
  id: 'shop',
  queueName: orders,
  // `payload` is { item: string; quantity: number; currency: 'EUR' | 'USD' }.
  handler: ({ payload }) =>
    console.log(`${payload.quantity} × ${payload.item.toUpperCase()}, paid in ${payload.currency}`),
});

await mq.sendMessage(orders, { payload: { item: 'boat', quantity: 1, currency: 'USD' } });
// By its name the queue takes anything; the schema is held against it all the same.
await mq.sendMessage('orders', { payload: { item: 'oar', quantity: 2 } });
try {
  await mq.sendMessage('orders', { payload: { item: 'sail', quantity: -1 } });
} catch (error) {
  if (!(error instanceof ValidationError)) throw error;
  console.log(`refused: ${error.message}`);
}
await untilEmpty(mq, 'orders');
