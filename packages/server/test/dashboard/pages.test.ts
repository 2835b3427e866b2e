import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Api, apiOf } from './api.ts';
import {
  DESKTOP,
  launch,
  newPage,
  overflow,
  PHONE,
  PICTURES,
  seriousFindings,
  takePicture,
} from './browser.ts';
import { fillBroker, holdSome, traffic } from './harbour.ts';

let broker: Broker;
let api: Api;
let browser: Browser;
let timer: NodeJS.Timeout | undefined;

before(async () => {
  broker = await startBroker();
  api = apiOf(broker);
  await fillBroker(api);
  if (PICTURES !== undefined) await keepBusy();
  browser = await launch();
});

/** Charts of a broker that has just started have nothing to show. */
async function keepBusy(): Promise<void> {
  timer = setInterval(() => void traffic(api).catch(() => {}), 500);
  await delay(60_000);
  await holdSome(api);
}

after(async () => {
  clearInterval(timer);
  await browser?.close();
  await broker?.close();
});

interface Shown {
  readonly path: string;
  readonly heading: string;
  /** What comes from the broker, and must be there. */
  readonly texts: readonly string[];
  /** Its name among the pictures. */
  readonly picture?: string;
  /** Whatever has to be opened first. */
  readonly open?: (page: Page) => Promise<void>;
}

const PAGES: readonly Shown[] = [
  {
    path: '/',
    heading: 'Overview',
    texts: ['In flight', 'Deepest queues', 'orders'],
    picture: 'overview',
  },
  {
    path: '/queues',
    heading: 'Queues',
    texts: ['orders', 'search-index', 'dead-letter'],
    picture: 'queues',
  },
  {
    path: '/queues/orders',
    heading: 'orders',
    texts: ['"sku":"A-17"', 'Ready', 'Oldest'],
    picture: 'queue',
  },
  {
    path: '/queues/orders',
    heading: 'orders',
    texts: ['Retries', 'Time to live', 'No changes'],
    open: (page) => page.getByRole('tab', { name: 'Settings' }).click(),
  },
  {
    path: '/queues/orders',
    heading: 'orders',
    texts: ['Deduplication id', 'from a terminal'],
    open: async (page) => {
      await page.getByRole('tab', { name: 'Publish' }).click();
      await page.getByText('More fields').click();
    },
  },
  {
    path: '/queues/dead-letter',
    heading: 'dead-letter',
    texts: ['Error: 502 Bad Gateway', 'Deliveries', 'customer'],
    picture: 'message',
    open: (page) =>
      page
        .getByRole('button', { name: /"order"/ })
        .first()
        .click(),
  },
  {
    path: '/dead-letters',
    heading: 'Dead letters',
    texts: ['thumbnails', 'search-index', 'rejected'],
    picture: 'dead-letters',
  },
  {
    path: '/exchanges',
    heading: 'Exchanges',
    texts: ['events', 'order.paid', 'fanout'],
    picture: 'exchanges',
  },
  {
    path: '/schedules',
    heading: 'Schedules',
    texts: ['nightly-report', '30 2 * * *', 'every 5 min'],
  },
  {
    path: '/clients',
    heading: 'Clients',
    texts: ['hooks-1', 'Connections'],
    open: async () => {
      const whoWaits = { wait: '60s', consumer: 'hooks-1' };
      void api('POST', '/queues/webhooks/receive', whoWaits).catch(() => {});
    },
  },
  { path: '/access', heading: 'Access', texts: ['There are no users'] },
  { path: '/no-such-page', heading: 'Nothing here', texts: ['Go to the overview'] },
];

async function show(page: Page, shown: Shown): Promise<void> {
  await page.goto(`${broker.url}${shown.path}`);
  await page.getByRole('heading', { level: 1, name: shown.heading }).waitFor();
  await shown.open?.(page);
  for (const text of shown.texts) {
    await page.getByText(text).filter({ visible: true }).first().waitFor();
  }
}

async function checkPage(t: TestContext, shown: Shown): Promise<void> {
  const page = await newPage(t, browser);
  await show(page, shown);
  assert.deepEqual(await seriousFindings(page), [], 'light');
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual(await seriousFindings(page), [], 'dark');
  if (shown.picture === 'queue') await takePicture(page, 'queue-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  if (shown.picture !== undefined) await takePicture(page, shown.picture);
  await page.setViewportSize(PHONE);
  assert.ok((await overflow(page)) <= 0, 'on a phone, the page scrolls sideways');
  if (shown.picture !== 'overview') return;
  assert.deepEqual(await seriousFindings(page), [], 'phone');
  await takePicture(page, 'overview-phone');
}

for (const shown of PAGES) {
  const what = shown.open === undefined ? shown.path : `${shown.path}, opened`;
  test(`${what} shows what there is, to everybody, in both themes and on a phone`, (t) =>
    checkPage(t, shown));
}

test('the files are cached by their names, the page is not, and what is missing is no page', async () => {
  const index = await fetch(`${broker.url}/queues/orders`, { headers: { accept: 'text/html' } });
  assert.equal(index.headers.get('cache-control'), 'no-cache');
  assert.match(index.headers.get('content-security-policy') ?? '', /script-src 'self'(;|$)/);
  const html = await index.text();
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style| style=| on\w+=/);
  const [, script] = /src="(\/assets\/[^"]+\.js)"/.exec(html) ?? [];
  const asset = await fetch(`${broker.url}${script}`);
  assert.equal(asset.status, 200);
  assert.match(asset.headers.get('cache-control') ?? '', /immutable/);
  for (const path of ['/assets/gone.js', '/assets/..%2f..%2fpackage.json', '/api/v1/nothing']) {
    const response = await fetch(`${broker.url}${path}`, { headers: { accept: 'text/html' } });
    assert.equal(response.status, 404, path);
  }
  const typo = await fetch(`${broker.url}/queus`);
  assert.match(typo.headers.get('content-type') ?? '', /^application\/problem\+json/);
});

test('all scripts together have less than 150 kB', async () => {
  const html = await (await fetch(broker.url)).text();
  const scripts = [...html.matchAll(/"(\/assets\/[^"]+\.js)"/g)].map(([, path]) => path!);
  assert.equal(scripts.length, 1);
  const { length } = await (await fetch(`${broker.url}${scripts[0]}`)).text();
  assert.ok(length < 150_000, `${length} bytes`);
});

test('hundreds of queues are sorted and filtered without lag', async (t) => {
  await api('PUT', '/vhosts/crowd');
  const names = Array.from({ length: 400 }, (_, i) => `crowd-${String(i).padStart(3, '0')}`);
  await Promise.all(names.map((name) => api('PUT', `/vhosts/crowd/queues/${name}`, {})));
  const page = await newPage(t, browser, DESKTOP);
  await page.goto(`${broker.url}/queues?vhost=crowd`);
  await page.getByText('401 queues').waitFor();
  await page.getByRole('button', { name: /Show more/ }).click();
  await page.getByRole('link', { name: 'crowd-399' }).waitFor();
  const longest = await page.evaluate(`new Promise((resolve) => {
    let longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    }).observe({ type: 'longtask' });
    // One of our own, so that it is known that they are seen.
    setTimeout(() => {
      const began = performance.now();
      while (performance.now() - began < 60);
    }, 0);
    setTimeout(() => resolve(longest), 4_500);
  })`);
  t.diagnostic(`401 rows, two polls: longest task ${String(longest)} ms (ours: 60)`);
  assert.ok(Number(longest) >= 60, 'long tasks are not seen');
  assert.ok(Number(longest) < 400, `a task of ${String(longest)} ms`);
  await page.getByRole('searchbox').fill('399');
  await page.getByText('1 queue', { exact: true }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);
});
