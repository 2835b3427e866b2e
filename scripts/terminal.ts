import { styleText } from 'node:util';

/** How many tests or checks ended which way. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** @returns the closing line that `.ci/run` adds up: `N passed, N failed, N skipped`. */
export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

const inColor = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;

/** Colours `text` when a person is looking, and leaves it plain in a pipe or a log. */
export function paint(color: 'dim' | 'green' | 'red' | 'yellow', text: string): string {
  return inColor ? styleText(color, text) : text;
}

/** @param ms milliseconds. @returns seconds with one decimal, such as `1.4 s`. */
export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @returns `text` with every line moved to the right by `spaces`. */
export function indent(text: string, spaces: number): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, ' '.repeat(spaces));
}
