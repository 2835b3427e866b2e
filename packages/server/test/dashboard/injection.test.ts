import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Api, apiOf, killMessages } from './api.ts';
import { launch, newPage } from './browser.ts';
import { HOSTILE_TEXTS } from './hostile-texts.ts';

const ADMIN = { name: 'admin', password: 'correct horse' };
/** What the broker itself refuses in the name of a user: it would end it in HTTP Basic. */
const USERS = HOSTILE_TEXTS.map((text) => text.replaceAll(':', ';'));

let broker: Broker;
let api: Api;
let browser: Browser;
let page: Page;

const name = encodeURIComponent;

before(async () => {
  broker = await startBroker();
  const open = apiOf(broker);
  await open('PUT', `/users/${ADMIN.name}`, { password: ADMIN.password, admin: true });
  const basic = Buffer.from(`${ADMIN.name}:${ADMIN.password}`).toString('base64');
  api = apiOf(broker, `Basic ${basic}`);
  await api('PUT', '/exchanges/all', { type: 'topic' });
  for (const [i, text] of HOSTILE_TEXTS.entries()) await plant(text, i);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await broker?.close();
});

/** As a key and a value of an object, or by itself. */
function payloadOf(text: string, i: number): unknown {
  return i % 2 === 0 ? { [text]: [text] } : text;
}

function shownOf(text: string, i: number): string {
  return i % 2 === 0 ? JSON.stringify(payloadOf(text, i)) : text;
}

/** Puts a text wherever somebody may put one. */
async function plant(text: string, i: number): Promise<void> {
  const queue = `/queues/${name(text)}`;
  // What is in somebody's hand stays there, however slow the machine is.
  await api('PUT', queue, { maxRetries: 0, leaseDuration: '1h' });
  await api('PUT', `/exchanges/${name(text)}`, { type: 'topic', alternateExchange: text });
  await api('PUT', '/bindings', { exchange: text, queue: text, routingKey: text });
  await api('PUT', '/bindings', { exchange: 'all', queue: text, routingKey: text });
  const message = {
    payload: payloadOf(text, i),
    contentType: text,
    headers: { [text]: text },
    groupId: text,
    correlationId: text,
    // Of no queue: else a reply that says that it died would be there.
    replyTo: `${text} `,
    messageId: text,
    deduplicationId: text,
  };
  await api('PUT', `/schedules/${name(text)}`, { every: '1d', queue: text, message });
  await api('POST', `${queue}/messages`, message);
  await killMessages(api, text, 1, text);
  await api('POST', `${queue}/messages`, { ...message, deduplicationId: `${i}` });
  await api('POST', `${queue}/messages`, { payload: text, delay: '1h' });
  await api('POST', `${queue}/receive`, { max: 1, consumer: text });
  const permissions = [{ vhost: '/', read: [text], write: [text], configure: [text] }];
  await api('PUT', `/users/${name(USERS[i]!)}`, { password: 'battery staple', permissions });
  await api('POST', '/tokens', { name: text, permissions });
}

/** Nothing that a text asked for may be in the page. */
async function checkClean(where: string): Promise<void> {
  const planted = await page.evaluate(`[...document.querySelectorAll(
    'script:not([src^="/assets/"]), iframe, object, embed, base, style, img, video, audio, marquee, ' +
    'math, body > :not(#app, noscript), [onerror], [onload], [onfocus], [srcdoc], a[href^="javascript:" i]'
  )].map((element) => element.outerHTML)`);
  assert.deepEqual(planted, [], where);
}

/** Goes to a page as a link does, without loading anew. */
async function visit(path: string): Promise<void> {
  await page.evaluate(`history.pushState(null, '', ${JSON.stringify(path)});
    dispatchEvent(new PopStateEvent('popstate'))`);
}

/** Waits until the first message of the list begins with a text. */
async function shows(text: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  const first = page.locator('button.preview').first();
  while ((await first.textContent())?.startsWith(text) !== true) {
    assert.ok(Date.now() < deadline, `${text} is not shown`);
    await delay(20);
  }
}

test('fifty hostile texts in every field are shown as what they are, and run nothing', async (t) => {
  assert.equal(HOSTILE_TEXTS.length, 50);
  page = await newPage(t, browser);
  // A page that loads something of others would wait for it; nothing does.
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(broker.url)) foreign.push(request.url());
  });
  await page.goto(broker.url);
  await page.getByRole('textbox', { name: 'User' }).fill(ADMIN.name);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  const [first] = HOSTILE_TEXTS as [string];

  await page.getByText('Deepest queues').waitFor();
  await page.getByText(/have died/).waitFor();
  await checkClean('overview');

  await page.goto(`${broker.url}/queues`);
  for (const text of HOSTILE_TEXTS) {
    await page.getByRole('link', { name: text.trim(), exact: true }).first().waitFor();
  }
  await checkClean('queues');

  await page.goto(`${broker.url}/dead-letters`);
  await page.getByRole('button', { name: first, exact: true }).click();
  await page.getByRole('heading', { name: first }).waitFor();
  await checkClean('dead letters');

  await page.goto(`${broker.url}/exchanges`);
  await page.getByRole('cell', { name: first, exact: true }).first().waitFor();
  assert.ok((await page.locator('.graph .box').count()) > 100);
  await checkClean('exchanges');

  await page.goto(`${broker.url}/schedules`);
  await page.getByText(first, { exact: true }).first().waitFor();
  await checkClean('schedules');

  await page.goto(`${broker.url}/access`);
  await page.getByText(USERS[0]!, { exact: true }).first().waitFor();
  await checkClean('users');
  await page.getByRole('tab', { name: 'Tokens' }).click();
  await page.getByText(first, { exact: true }).first().waitFor();
  await checkClean('tokens');
  assert.deepEqual(foreign, []);
});

test('a queue of each hostile name shows its messages, with payload, headers and deaths', async (t) => {
  page = await newPage(t, browser);
  await page.goto(broker.url);
  await page.getByRole('textbox', { name: 'User' }).fill(ADMIN.name);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Deepest queues').waitFor();
  for (const [i, text] of HOSTILE_TEXTS.entries()) {
    await visit(`/queues/${name(text)}`);
    await page.getByRole('button', { name: /^In flight 1/ }).click();
    await shows(shownOf(text, i).slice(0, 20));
    await checkClean(text);
  }
  await visit('/queues/dead-letter');
  for (let i = 0; i < HOSTILE_TEXTS.length; i++) {
    await page.locator('button.preview').nth(i).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('.death .error-text').first().waitFor();
    await dialog.getByRole('button', { name: 'text' }).click();
    await checkClean(`message ${i}`);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  }
});
