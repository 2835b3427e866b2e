import { type Signal, signal } from '@preact/signals';
import type { JSX } from 'preact';

interface Toast {
  readonly key: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
}

const SHOWN_MS = 6_000;
const toasts: Signal<readonly Toast[]> = signal([]);
let last = 0;

/** Tells, for a moment, what was done, also to those who do not see the page. */
export function tell(text: string, kind: Toast['kind'] = 'done'): void {
  const key = ++last;
  toasts.value = [...toasts.value, { key, kind, text }];
  setTimeout(() => {
    toasts.value = toasts.value.filter((toast) => toast.key !== key);
  }, SHOWN_MS);
}

/** Does something, and tells how it went. @returns whether it was done */
export async function attempt(work: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await work();
    tell(done);
    return true;
  } catch (error) {
    tell((error as Error).message, 'failed');
    return false;
  }
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ key, kind, text }) => (
        <p key={key} class={`toast ${kind}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
