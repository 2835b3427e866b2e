import assert from 'node:assert/strict';
import * as z from 'zod';
import type { Broker } from '../../src/index.ts';
import { ROUTES } from '../../src/servers/http/route-table.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test says by its assertions what it is
  readonly body: any;
}

export interface RequestOptions {
  readonly json?: unknown;
  /** As it is; `headers` says what it is. */
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export type Client = (method: string, path: string, options?: RequestOptions) => Promise<Answer>;

/**
 * Asks a broker's API, and holds every answer against what its route says that it answers.
 * @param base below the broker's URL
 */
export function clientOf(broker: Pick<Broker, 'url'>, base = '/api/v1'): Client {
  return async (method, path, { json, body, headers = {}, signal } = {}) => {
    const response = await fetch(`${broker.url}${base}${path}`, {
      method,
      headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const answer = /^application\/(?:problem\+)?json/.test(type)
      ? (JSON.parse(text) as unknown)
      : text;
    const isManagement = base === '/api';
    checkAnswer({ method, path, isManagement }, response.status, answer, type);
    return { status: response.status, headers: response.headers, body: answer };
  };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  /** Of RabbitMQ's API, not of our own. */
  readonly isManagement: boolean;
}

function checkAnswer(asked: Asked, status: number, answer: unknown, type: string): void {
  const { method, path, isManagement } = asked;
  const [plain] = path.split('?');
  const route = ROUTES.find(
    (one) =>
      one.method === method &&
      (one.scope === 'management') === isManagement &&
      patternOf(one.url).test(plain!),
  );
  if (status >= 400 && route?.responses[status] === undefined) {
    const expectedType = isManagement ? /^application\/json/ : /^application\/problem\+json/;
    assert.match(type, expectedType, `${method} ${path}: ${JSON.stringify(answer)}`);
    assert.equal((answer as { status: number }).status, status);
    if (isManagement) assert.equal(typeof (answer as { reason: string }).reason, 'string');
    return;
  }
  assert.ok(route !== undefined, `no route ${method} ${path}`);
  const expected = route.responses[status];
  assert.notEqual(expected, undefined, `${route.id} says nothing of ${status}`);
  if (!(expected instanceof z.ZodType) || type !== 'application/json; charset=utf-8') return;
  const parsed = expected.safeParse(answer);
  assert.ok(parsed.success, `${route.id}: ${JSON.stringify(answer)} ${String(parsed.error)}`);
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+')}$`);
}

/** Waits for something that comes soon. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It did not happen: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
