import assert from 'node:assert/strict';
import type { Broker } from '../../src/index.ts';

/** Calls a broker's API. @returns what it answered, if that is JSON; fails when it refuses */
export type Api = <T = unknown>(method: string, path: string, body?: unknown) => Promise<T>;

export function apiOf({ url }: Pick<Broker, 'url'>, authorization?: string): Api {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
}

interface Received {
  readonly messages: readonly { readonly receipt: string }[];
}

/** Takes messages of a queue and rejects them for good, so that they become dead letters. */
export async function killMessages(
  api: Api,
  queue: string,
  max: number,
  reason: string,
): Promise<void> {
  const path = `/queues/${encodeURIComponent(queue)}`;
  const { messages } = await api<Received>('POST', `${path}/receive`, { max });
  const items = messages.map(({ receipt }) => ({ receipt, reason, deadLetter: true }));
  await api('POST', `${path}/reject`, { items });
}
