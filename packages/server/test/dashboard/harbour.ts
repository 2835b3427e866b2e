import type { Api } from './api.ts';
import { killMessages } from './api.ts';

interface Received {
  readonly messages: readonly { readonly receipt: string }[];
}

const QUEUES = ['orders', 'payments', 'emails', 'thumbnails', 'search-index', 'audit'] as const;
const BINDINGS = [
  ['events', 'orders', 'order.*'],
  ['events', 'payments', 'order.paid'],
  ['events', 'emails', 'order.paid'],
  ['events', 'search-index', '#'],
  ['everything', 'audit', ''],
] as const;

function order(number: number): unknown {
  return {
    payload: {
      order: number,
      customer: { name: 'Ada', country: 'GB' },
      items: [{ sku: 'A-17', quantity: 2, price: 12.5 }],
      paid: number % 2 === 0,
    },
    headers: { source: 'shop' },
    ...(number % 4 === 0 && { delay: '5m' }),
    ...(number % 3 === 0 && { groupId: `customer-${number % 5}` }),
  };
}

/** A broker's worth of everything that the dashboard shows. */
export async function fillBroker(api: Api): Promise<void> {
  for (const queue of QUEUES) await api('PUT', `/queues/${queue}`, { maxRetries: 0 });
  await api('PUT', '/queues/webhooks', { deadLetterQueue: 'emails', maxSize: 5_000 });
  await api('PUT', '/exchanges/events', { type: 'topic' });
  await api('PUT', '/exchanges/everything', { type: 'fanout' });
  for (const [exchange, queue, routingKey] of BINDINGS) {
    await api('PUT', '/bindings', { exchange, queue, routingKey });
  }
  const chain = { exchange: 'events', destinationExchange: 'everything', routingKey: '#' };
  await api('PUT', '/bindings', chain);
  const message = { payload: { kind: 'nightly' } };
  const cron = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };
  await api('PUT', '/schedules/nightly-report', { ...cron, queue: 'audit', message });
  await api('PUT', '/schedules/heartbeat', { every: '5m', queue: 'audit', message });
  await traffic(api);
  await killMessages(api, 'thumbnails', 5, 'Error: 502 Bad Gateway');
  await killMessages(api, 'search-index', 3, 'Error: the index is read-only');
  await holdSome(api);
}

/** Takes messages and keeps them. */
export async function holdSome(api: Api): Promise<void> {
  await api('POST', '/queues/orders/receive', { max: 2, consumer: 'billing-1' });
}

/** Some messages into every queue, and some out. */
export async function traffic(api: Api): Promise<void> {
  for (const [i, queue] of QUEUES.entries()) {
    const messages = Array.from({ length: 14 - 2 * i }, (_, number) => order(number));
    await api('POST', `/queues/${queue}/messages/batch`, { messages });
  }
  for (const queue of ['orders', 'payments', 'audit']) {
    const path = `/queues/${queue}`;
    const { messages } = await api<Received>('POST', `${path}/receive`, { max: 5 });
    const receipts = messages.map(({ receipt }) => receipt);
    if (receipts.length > 0) await api('POST', `${path}/acknowledge`, { receipts });
  }
}
