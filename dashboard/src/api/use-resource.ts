import { useEffect, useState } from 'preact/hooks';
import { ApiError, get } from './client.ts';
import { isConnected, revision } from './connection.ts';
import type { Problem } from './types.ts';

/** Something of the API, asked for again and again while it is shown. */
export interface Resource<T> {
  /** The last answer; kept while the next one is on its way. */
  readonly data: T | null;
  readonly problem: Problem | null;
}

/** How often counts are asked for while a page shows them. */
const POLL_MS = 2_000;
/** For what seldom changes by itself. */
export const SLOW_POLL_MS = 10_000;

/** How many times as long as an answer takes there is quiet before the next question. */
const PAUSES = 5;

/**
 * @param url null: nothing to ask for yet
 * @param every milliseconds between two questions, at least; null: once
 */
export function useResource<T>(url: string | null, every: number | null = POLL_MS): Resource<T> {
  const [state, setState] = useState<Resource<T> & { url: string | null }>(empty(url));
  const asked = revision.value;
  useEffect(() => {
    if (url === null) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async (): Promise<void> => {
      const began = performance.now();
      // Nobody looks, or nobody answers: a change of either begins again.
      if (!document.hidden && isConnected.value) {
        const answer = await ask<T>(url, controller.signal);
        if (controller.signal.aborted) return;
        if (answer !== null) setState({ ...answer, url });
      }
      // What takes the broker long, or is large, is asked for less often.
      const pause = Math.max(every ?? 0, PAUSES * (performance.now() - began));
      if (every !== null) timer = setTimeout(() => void load(), pause);
    };
    const onVisible = (): void => {
      if (document.hidden) return;
      clearTimeout(timer);
      void load();
    };
    document.addEventListener('visibilitychange', onVisible);
    void load();
    return () => {
      document.removeEventListener('visibilitychange', onVisible);
      clearTimeout(timer);
      controller.abort();
    };
  }, [url, every, asked]);
  return state.url === url ? state : empty(url);
}

function empty<T>(url: string | null): Resource<T> & { url: string | null } {
  return { data: null, problem: null, url };
}

/** @returns null when the broker did not answer: what is shown stays */
async function ask<T>(url: string, signal: AbortSignal): Promise<Resource<T> | null> {
  try {
    return { data: await get<T>(url, signal), problem: null };
  } catch (error) {
    return error instanceof ApiError ? { data: null, problem: error.problem } : null;
  }
}
