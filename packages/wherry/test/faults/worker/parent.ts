import { createInterface } from 'node:readline';

/** @param path the store's folder */
export type Job = (path: string, args: readonly string[]) => Promise<void>;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/**
 * A pipe is written to at once, before anything else happens: what is confirmed is known even if a
 * kill comes next.
 */
export function say(event: string, details: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...details })}\n`);
}

/** Waits until the parent says something. */
export async function told(): Promise<void> {
  await lines.next();
}
