import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { after, before, test, type TestContext } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type Broker, serve } from '../../src/index.ts';
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

async function openPage(t: TestContext, path: string): Promise<Page> {
  const page = await newPage(t, browser);
  await page.goto(`${broker.url}${path}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return page;
}

test('exchanges and bindings are made, drawn and taken away', async (t) => {
  await api('PUT', '/queues/bound');
  const page = await openPage(t, '/exchanges');
  await button(page, 'New exchange').click();
  await page.getByLabel('Name', { exact: true }).fill('events');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await button(page, 'New binding').click();
  await page.getByLabel('Named').fill('bound');
  await page.getByLabel('Routing key').fill('order.*');
  await page.getByRole('dialog').getByRole('button', { name: 'Bind' }).click();
  await page.locator('.graph').getByText('order.*').waitFor();
  await page.locator('.graph .queue text', { hasText: 'bound' }).waitFor();
  await button(page, 'Unbind bound from events').click();
  await page.getByText('Nothing is bound').waitFor();
  await button(page, 'Delete… events').click();
  await confirm(page, 'events', 'Delete');
  await page.getByText('There are no exchanges').waitFor();
});

test('a schedule is made, paused, resumed and removed', async (t) => {
  await api('PUT', '/queues/ticking');
  const page = await openPage(t, '/schedules');
  await button(page, 'New schedule').click();
  await page.getByLabel('Name', { exact: true }).fill('pulse');
  await page.getByLabel('To queue').fill('ticking');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByText(/^in \d min/).waitFor();
  await button(page, 'Pause pulse').click();
  await page.getByText('not while paused').waitFor();
  await button(page, 'Resume pulse').click();
  await page.getByText(/^in \d min/).waitFor();
  await button(page, 'Remove… pulse').click();
  await confirm(page, 'pulse', 'Remove');
  await page.getByText('There are no schedules').waitFor();
});

test('users, tokens and virtual hosts come and go; who logs in sees what they may', async (t) => {
  const guarded = await startBroker();
  t.after(() => guarded.close());
  const page = await newPage(t, browser);
  await page.goto(`${guarded.url}/access`);
  await button(page, 'New user').click();
  await page.getByLabel('Name', { exact: true }).fill('ada');
  await page.getByLabel('Password').fill('correct horse');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  // The door is closed: from now on everybody logs in.
  await page.getByRole('heading', { name: 'Wherry' }).waitFor();
  assert.deepEqual(await seriousFindings(page), []);
  await page.getByRole('textbox', { name: 'User' }).fill('ada');
  await page.getByLabel('Password').fill('wrong horse');
  await button(page, 'Log in').click();
  await page.getByRole('alert').locator('.problem').waitFor();
  await page.getByLabel('Password').fill('correct horse');
  await button(page, 'Log in').click();
  await page.getByRole('cell', { name: 'ada', exact: true }).waitFor();

  await button(page, 'New user').click();
  await page.getByLabel('Name', { exact: true }).fill('bob');
  await page.getByLabel('Password').fill('battery staple');
  await button(page, 'Add a virtual host').click();
  await page.getByLabel('Configure').fill('');
  await page.getByLabel('Write').fill('orders.*, emails');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByText('orders.*, emails').waitFor();

  await page.getByRole('tab', { name: 'Tokens' }).click();
  await button(page, 'New token').click();
  await page.getByLabel('Name', { exact: true }).fill('deploy');
  await page.getByLabel('Administrator').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  const secret = await page.locator('.secret code').innerText();
  await button(page, 'I have it').click();
  const withToken = apiOf(guarded, `Bearer ${secret}`);
  await withToken('GET', '/queues');
  await button(page, 'Revoke… deploy').click();
  await confirm(page, 'deploy', 'Revoke');
  await assert.rejects(withToken('GET', '/queues'), /UNAUTHENTICATED/);

  await page.getByRole('tab', { name: 'Virtual hosts' }).click();
  await button(page, 'New virtual host').click();
  await page.getByLabel('Name', { exact: true }).fill('staging');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByRole('link', { name: 'staging' }).click();
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor();
  assert.match(page.url(), /vhost=staging/);
  await page.getByRole('link', { name: 'Access' }).click();
  await page.getByRole('tab', { name: 'Virtual hosts' }).click();
  await button(page, 'Delete… staging').click();
  await confirm(page, 'staging', 'Delete');

  await page.reload();
  await button(page, 'New user').waitFor();
  await button(page, /Log out/).click();
  await page.getByRole('textbox', { name: 'User' }).fill('bob');
  await page.getByLabel('Password').fill('battery staple');
  await button(page, 'Log in').click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Access' }).count(), 0);
});

test('whoever may enter one virtual host only lands there, and sees no more than they may', async (t) => {
  const guarded = await startBroker();
  t.after(() => guarded.close());
  const open = apiOf(guarded);
  await open('PUT', '/vhosts/staging');
  await open('PUT', '/vhosts/staging/queues/seen');
  await open('PUT', '/vhosts/staging/queues/unseen');
  await open('PUT', '/users/ada', { password: 'correct horse', admin: true });
  const admin = apiOf(guarded, `Basic ${Buffer.from('ada:correct horse').toString('base64')}`);
  const permissions = [{ vhost: 'staging', read: ['seen'] }];
  await admin('PUT', '/users/carol', { password: 'battery staple', permissions });
  const page = await newPage(t, browser);
  await page.goto(`${guarded.url}/`);
  await page.getByRole('textbox', { name: 'User' }).fill('carol');
  await page.getByLabel('Password').fill('battery staple');
  await button(page, 'Log in').click();
  await page.getByRole('link', { name: 'seen', exact: true }).click();
  assert.match(page.url(), /queues\/seen\?vhost=staging/);
  await button(page, 'Pause').click();
  await page.getByText(/may not configure/).waitFor();
  await page.getByRole('link', { name: 'Queues' }).click();
  await page.getByText('1 queue', { exact: true }).waitFor();
  assert.equal(await page.getByText('unseen').count(), 0);
});

test('what goes wrong is told at once, and an alarm stays until it is seen to', async (t) => {
  await api('PUT', '/queues/alarming', { maxSize: 2 });
  const page = await openPage(t, '/');
  await page.getByText('Deepest queues').waitFor();
  await button(page, '24 hours').click();
  await api('POST', '/queues/alarming/messages/batch', {
    messages: [{ payload: 1 }, { payload: 2 }],
  });
  await page.getByText("Queue 'alarming' holds 2 of at most 2 messages.").waitFor();
  await killMessages(api, 'alarming', 2, 'Error: no');
  const told = page.getByRole('listitem').filter({ hasText: 'alarming → dead-letter: rejected' });
  await told.getByText('×2').waitFor();
  await page.getByRole('link', { name: 'Look at them' }).click();
  await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
  await api('POST', '/dead-letters/purge');
});

test('a consumer is seen with what it may take, and its connection is closed', async (t) => {
  await api('PUT', '/queues/waited-for');
  const waiting = fetch(`${broker.url}/api/v1/queues/waited-for/receive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'patient/1' },
    body: JSON.stringify({ wait: '50s', consumer: 'patience' }),
  }).then(
    () => 'answered',
    () => 'cut',
  );
  const page = await openPage(t, '/clients');
  await page.getByRole('row').filter({ hasText: 'patience' }).getByText('poll').waitFor();
  const connection = page.getByRole('row').filter({ hasText: 'patient/1' });
  await connection.getByRole('button', { name: /^Close/ }).click();
  assert.equal(await waiting, 'cut');
  await connection.waitFor({ state: 'detached' });
});

test('a chosen theme stays', async (t) => {
  const page = await openPage(t, '/queues');
  const shown = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme');
  assert.equal(await shown(), 'light');
  await button(page, 'Theme: system').click();
  await button(page, 'Theme: light').click();
  await button(page, 'Theme: dark').waitFor();
  assert.equal(await shown(), 'dark');
  await page.reload();
  await button(page, 'Theme: dark').waitFor();
  assert.equal(await shown(), 'dark');
});

test('when the broker goes the page says so, and goes on by itself when it is back', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-dashboard-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = {
    store: join(folder, 'data'),
    amqp: { enabled: false },
    log: { level: 'silent' },
  } as const;
  const first = await serve({ ...config, port: 0 });
  await apiOf(first)('PUT', '/queues/before');
  const page = await newPage(t, browser);
  await page.goto(`${first.url}/queues`);
  await page.getByRole('link', { name: 'before' }).waitFor();
  await first.close();
  await page.getByText('The broker does not answer.').waitFor();
  assert.ok(await page.getByRole('link', { name: 'before' }).isVisible(), 'what was seen stays');
  const second = await serve({ ...config, port: first.port });
  t.after(() => second.close());
  await page.getByText('The broker does not answer.').waitFor({ state: 'hidden' });
  await apiOf(second)('PUT', '/queues/after');
  await page.getByRole('link', { name: 'after' }).waitFor();
});

test('by keyboard alone: skip to the page, open a dialog, stay in it, come back', async (t) => {
  const page = await openPage(t, '/queues');
  await page
    .getByText(/\d queues?/)
    .first()
    .waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the page');
  await button(page, 'New queue').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    const isInside = await page.evaluate(
      `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`,
    );
    assert.ok(isInside, `after ${i + 1} tabs the focus has left the dialog`);
  }
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'New queue');
});
