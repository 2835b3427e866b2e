import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import axe from 'axe-core';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { findProgram } from '../../../../scripts/system-packages.ts';

const BUILT = new URL('../../dashboard/index.html', import.meta.url);
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Long enough for a machine that does other things, too. */
const TIMEOUT_MS = 15_000;
export const DESKTOP = { width: 1160, height: 740 } as const;
export const PHONE = { width: 360, height: 740 } as const;

export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: 'light' | 'dark';
}

/** Chromium, with a profile of its own. The caller closes it. */
export async function launch(): Promise<Browser> {
  assert.ok(existsSync(BUILT), 'The dashboard is not built: npm run build -w wherry-dashboard');
  const executablePath = findProgram('chromium');
  assert.ok(executablePath, 'chromium is not on this machine');
  return chromium.launch({ executablePath, args: FLAGS });
}

/**
 * A page of its own session. The test fails at its end when a script threw, a dialog of the
 * browser's opened, or something was against the content security policy.
 */
export async function newPage(
  t: TestContext,
  browser: Browser,
  { theme = 'light', width = DESKTOP.width, height = DESKTOP.height }: OpenOptions = {},
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`threw: ${error.message}`));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(message.text());
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript({ content: TELL_VIOLATIONS });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return page;
}

const TELL_VIOLATIONS = `document.addEventListener('securitypolicyviolation', (event) => {
  console.error('Content Security Policy: ' + event.violatedDirective + ' ' + event.blockedURI);
});`;

const RUN_AXE = `(async () => {
  const { violations } = await axe.run();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return grave.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' | '));
})()`;

/** @returns what axe-core finds serious or critical, in words */
export async function seriousFindings(page: Page): Promise<string[]> {
  // By the debugger, as an extension would: the page's policy lets no foreign script in.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe.source });
  await session.detach();
  return page.evaluate<string[]>(RUN_AXE);
}

/** @returns by how many pixels the page is wider than its window */
export async function overflow(page: Page): Promise<number> {
  return Number(await page.evaluate('document.documentElement.scrollWidth - window.innerWidth'));
}

/** Where pictures for the documentation go, when they are asked for. */
export const PICTURES: string | undefined = process.env['WHERRY_SCREENSHOTS'];

/** Takes a picture for the documentation, if the environment names a folder for them. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  // Until sparklines have some samples.
  await delay(8_000);
  const path = join(PICTURES, `${name}.png`);
  await page.screenshot({ path, animations: 'disabled' });
}

/** A button by what it is called. */
export function button(page: Page, name: string | RegExp): Locator {
  return page.getByRole('button', { name });
}

/** Does what a dialog asks before what cannot be undone. */
export async function confirm(page: Page, typed: string, action: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  const act = dialog.getByRole('button', { name: action, exact: true });
  assert.ok(await act.isDisabled(), 'nothing was typed yet');
  await dialog.getByRole('textbox').fill(typed);
  await act.click();
  await dialog.waitFor({ state: 'hidden' });
}
