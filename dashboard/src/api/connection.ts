import { type Signal, signal } from '@preact/signals';

/** Whether the broker answers. */
export const isConnected: Signal<boolean> = signal(true);

/** Grows when everything shown should be asked for again. */
export const revision: Signal<number> = signal(0);

const PROBE_MS = 1_000;
let probing = false;

/** Something was changed, or the broker is back: all pages ask again. */
export function refreshAll(): void {
  revision.value += 1;
}

/** Something ended that should not have: finds out whether the broker is gone. */
export async function checkConnection(): Promise<void> {
  if (!(await isAlive())) connectionLost();
}

/** The broker did not answer: say so, and look for it until it does. */
export function connectionLost(): void {
  isConnected.value = false;
  if (!probing) void probe();
}

async function probe(): Promise<void> {
  probing = true;
  try {
    do {
      await new Promise((resolve) => {
        setTimeout(resolve, PROBE_MS);
      });
    } while (!(await isAlive()));
  } finally {
    probing = false;
  }
  isConnected.value = true;
  refreshAll();
}

async function isAlive(): Promise<boolean> {
  try {
    const { ok } = await fetch('/healthz', { cache: 'no-store' });
    return ok;
  } catch {
    return false;
  }
}
