import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { type ChannelModel, connect } from 'amqplib';
import type { Browser } from 'playwright-core';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { button, launch, newPage, seriousFindings } from './browser.ts';

let broker: Broker;
let browser: Browser;

before(async () => {
  broker = await startBroker({ amqp: { enabled: true, port: 0 } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await broker?.close({ deadline: 0 });
});

/** A program with a consumer that has two of three messages in hand, with a prefetch of two. */
async function connectProgram(): Promise<ChannelModel> {
  const clientProperties = { connection_name: '<b>the shop</b>' };
  const connection = await connect(`amqp://127.0.0.1:${broker.amqpPort}`, { clientProperties });
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('orders');
  for (let i = 0; i < 3; i++) channel.sendToQueue('orders', Buffer.from('x'));
  await channel.waitForConfirms();
  await channel.prefetch(2);
  await new Promise<void>((resolve, reject) => {
    let count = 0;
    const take = (): void => {
      if (++count === 2) resolve();
    };
    channel.consume('orders', take, { consumerTag: 'worker-7' }).catch(reject);
  });
  return connection;
}

test('the page of clients shows what AMQP programs hold, and closes their connections', async (t) => {
  const connection = await connectProgram();
  t.after(() => connection.close().catch(() => {}));
  const page = await newPage(t, browser);
  await page.goto(`${broker.url}/clients`);
  const consumer = page.getByRole('row', { name: 'worker-7' });
  await consumer.waitFor();
  // Holds two, takes none yet, of a prefetch of two.
  const cells = await consumer.getByRole('cell').allInnerTexts();
  assert.deepEqual(cells.slice(-4, -1), ['2', '0', '2']);
  const channels = page.getByRole('table', { name: 'AMQP channels' });
  const channel = channels.getByRole('row', { name: '<b>the shop</b> (1)' });
  await channel.waitFor();
  assert.deepEqual(await channel.getByRole('cell').allInnerTexts(), [
    '<b>the shop</b> (1)',
    '/',
    '1',
    '2',
    '2',
    '0',
    'confirms',
  ]);
  assert.deepEqual(await seriousFindings(page), []);
  const closed = once(connection, 'close');
  const row = page.getByRole('table', { name: 'Connections' }).getByRole('row', { name: 'amqp' });
  await row.getByRole('button').click();
  const [error] = (await closed) as [Error];
  assert.match(error.message, /An administrator has closed it/);
  await channels.waitFor({ state: 'detached' });
  await button(page, 'Close').first().waitFor();
});
