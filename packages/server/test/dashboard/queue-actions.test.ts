import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Api, apiOf, killMessages } from './api.ts';
import { button, confirm, launch, newPage, seriousFindings } from './browser.ts';

let broker: Broker;
let api: Api;
let browser: Browser;

before(async () => {
  broker = await startBroker();
  api = apiOf(broker);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await broker?.close();
});

interface Queue {
  readonly ready: number;
  readonly settings: Record<string, unknown>;
}

const queue = (name: string): Promise<Queue> => api<Queue>('GET', `/queues/${name}`);

async function openPage(t: TestContext, path: string): Promise<Page> {
  const page = await newPage(t, browser);
  await page.goto(`${broker.url}${path}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return page;
}

test('a queue is created with settings, and one that is wrong is refused in words', async (t) => {
  const page = await openPage(t, '/queues');
  await button(page, 'New queue').click();
  await page.getByLabel('Name', { exact: true }).fill('made here');
  await page.getByText('Settings').click();
  await page.getByLabel('Retries').fill('many');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page
    .getByRole('alert')
    .getByText(/maxRetries/)
    .waitFor();
  assert.equal(await page.getByLabel('Retries').getAttribute('aria-invalid'), 'true');
  assert.deepEqual(await seriousFindings(page), []);
  await page.getByLabel('Retries').fill('7');
  await page.getByLabel('Time to live').fill('2h');
  await page.getByLabel('Rate limit', { exact: true }).fill('100/1s');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { level: 1, name: 'made here' }).waitFor();
  const { settings } = await queue('made%20here');
  assert.equal(settings['maxRetries'], 7);
  assert.equal(settings['messageTtl'], 7_200_000);
  assert.deepEqual(settings['rateLimit'], { max: 100, per: 1_000 });
});

test('settings are changed: only those that were, and the broker says what is wrong', async (t) => {
  await api('PUT', '/queues/settings', { maxSize: 10, backoff: { delay: '1s', factor: 3 } });
  const page = await openPage(t, '/queues/settings');
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByLabel('Most messages').fill('-1');
  await button(page, 'Save the change').click();
  await page
    .getByRole('alert')
    .getByText(/maxSize/)
    .waitFor();
  await page.getByLabel('Most messages').fill('');
  await page.getByLabel('First back-off').fill('5s');
  await button(page, 'Save 2 changes').click();
  await button(page, 'No changes').waitFor();
  const { settings } = await queue('settings');
  assert.equal(settings['maxSize'], null);
  const { delay: wait, factor } = settings['backoff'] as { delay: number; factor: number };
  assert.deepEqual([wait, factor], [5_000, 3]);
});

test('a message is published, looked at and purged; the queue is paused and deleted', async (t) => {
  await api('PUT', '/queues/by-hand');
  const page = await openPage(t, '/queues/by-hand');
  await page.getByText('No message waits here').waitFor();
  await page.getByRole('tab', { name: 'Publish' }).click();
  await page.getByLabel('Payload', { exact: true }).fill('{"half":');
  await button(page, 'Publish').click();
  await page
    .getByRole('alert')
    .getByText(/not JSON/)
    .waitFor();
  await page.getByLabel('Payload', { exact: true }).fill('{"answer":42}');
  await page.getByLabel('Headers').fill('source=hand, attempt=1');
  await button(page, 'Publish').click();
  await page.getByText(/^Sent: /).waitFor();
  await page.getByRole('tab', { name: 'Messages' }).click();
  await button(page, '{"answer":42}').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('source', { exact: true }).waitFor();
  await dialog.getByRole('button', { name: 'hex' }).click();
  await dialog.getByText('7b 22 61 6e').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });

  await button(page, 'Pause').click();
  await page.getByText('none is handed out').waitFor();
  assert.equal((await queue('by-hand')).settings['paused'], true);
  await button(page, 'Resume').click();
  await button(page, 'Pause').waitFor();
  await button(page, 'Purge…').click();
  await confirm(page, 'by-hand', 'Purge');
  await page.getByText('1 message of by-hand purged').waitFor();
  assert.equal((await queue('by-hand')).ready, 0);
  await button(page, 'Delete…').click();
  await confirm(page, 'by-hand', 'Delete');
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor();
  await assert.rejects(queue('by-hand'), /QUEUE_NOT_FOUND/);
});

test('pages of messages are turned there and back', async (t) => {
  await api('PUT', '/queues/long');
  const messages = Array.from({ length: 120 }, (_, i) => ({ payload: `number ${i}` }));
  await api('POST', '/queues/long/messages/batch', { messages });
  const page = await openPage(t, '/queues/long');
  await button(page, 'number 49').waitFor();
  await button(page, 'Next').click();
  await button(page, 'number 50').waitFor();
  await button(page, 'Next').click();
  await button(page, 'number 119').waitFor();
  assert.ok(await button(page, 'Next').isDisabled());
  await button(page, 'Back').click();
  await button(page, 'number 99').waitFor();
});

test('dead letters are redriven by group and one by one, with progress, and purged', async (t) => {
  await api('PUT', '/queues/dying');
  const messages = Array.from({ length: 6 }, (_, i) => ({ payload: `letter ${i}` }));
  await api('POST', '/queues/dying/messages/batch', { messages });
  await killMessages(api, 'dying', 6, 'Error: of no use');
  const page = await openPage(t, '/dead-letters');
  await button(page, 'dying').click();
  await page.getByLabel('Choose message').first().check();
  await button(page, 'Redrive chosen…').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('Done: 1 moved').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  assert.equal((await queue('dying')).ready, 1);

  await page.getByRole('cell', { name: '5', exact: true }).waitFor();
  await page.getByLabel('Choose rejected of dying').check();
  await button(page, 'Redrive 5…').click();
  await page.getByRole('dialog').getByLabel('At most a second').fill('4');
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('Done: 5 moved').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  assert.equal((await queue('dying')).ready, 6);

  await page.getByText('There are no dead letters').waitFor();
  await killMessages(api, 'dying', 2, 'Error: of no use');
  await page.getByRole('cell', { name: '2', exact: true }).waitFor();
  await button(page, 'Purge…').click();
  await confirm(page, 'dead-letter', 'Purge');
  await page.getByText('2 dead letters of dead-letter purged').waitFor();
});

test("a queue's own dead letters are shown on its page, and sent back from there", async (t) => {
  await api('PUT', '/queues/failing');
  await api('PUT', '/queues/other');
  for (const name of ['failing', 'other']) {
    await api('POST', `/queues/${name}/messages`, { payload: `of ${name}` });
    await killMessages(api, name, 1, 'Error: no');
  }
  const page = await openPage(t, '/queues/failing');
  await button(page, 'Dead 1').click();
  await button(page, 'of failing').waitFor();
  assert.equal(await button(page, 'of other').count(), 0);
  await button(page, 'Redrive…').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('Done: 1 moved').waitFor();
  assert.equal((await queue('failing')).ready, 1);
  assert.equal((await queue('other')).ready, 0);
  await api('POST', '/dead-letters/purge');
});
