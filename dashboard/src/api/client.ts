import { vhost } from '../router.ts';
import { connectionLost } from './connection.ts';
import type { Problem } from './types.ts';

const BASE = '/api/v1';
/** Not the broker's: what a proxy before it says while it is away. */
const GATEWAY = 'GATEWAY';

/** The broker answered, and the answer is no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The broker did not answer. */
class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';

  constructor() {
    super('The broker does not answer. Its connection is tried again.');
  }
}

/** What goes with each request that changes something while a session's cookie does. */
let csrfToken: string | null = null;
let onUnauthenticated: () => void = () => {};

export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** What to do when credentials are needed. */
export function whenUnauthenticated(callback: () => void): void {
  onUnauthenticated = callback;
}

/** The address of something in the present virtual host: `inVhost('queues', name)`. */
export function inVhost(...segments: readonly string[]): string {
  const prefix = vhost.value === '/' ? '' : `/vhosts/${encodeURIComponent(vhost.value)}`;
  return `${BASE}${prefix}/${segments.map(encodeURIComponent).join('/')}`;
}

/** The address of something of the whole broker. */
export function global(...segments: readonly string[]): string {
  return `${BASE}/${segments.map(encodeURIComponent).join('/')}`;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** @throws ApiError, ConnectionLostError */
export async function request(
  method: string,
  url: string,
  { body, accept = 'application/json', signal }: RequestOptions = {},
): Promise<Response> {
  const headers: Record<string, string> = { accept };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (csrfToken !== null && method !== 'GET') headers['x-wherry-csrf'] = csrfToken;
  const text = body === undefined ? null : JSON.stringify(body);
  const response = await fetch(url, { method, headers, body: text, signal: signal ?? null }).catch(
    (error: unknown) => {
      if (signal?.aborted === true) throw error;
      connectionLost();
      throw new ConnectionLostError();
    },
  );
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401) onUnauthenticated();
  if (problem.code === 'CLOSED' || problem.code === GATEWAY) {
    connectionLost();
    throw new ConnectionLostError();
  }
  throw new ApiError(problem);
}

/** @throws ApiError, ConnectionLostError */
export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await request('GET', url, signal === undefined ? {} : { signal });
  return (await response.json()) as T;
}

/** @returns what the broker answered, if that is JSON. @throws ApiError, ConnectionLostError */
export async function send<T>(method: string, url: string, body?: unknown): Promise<T> {
  const response = await request(method, url, body === undefined ? {} : { body });
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return (isJson ? await response.json() : undefined) as T;
}

async function problemOf(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  const fallback = {
    title: statusText,
    status,
    detail: `The broker answered ${status} ${statusText}.`,
    code: status >= 502 ? GATEWAY : 'INTERNAL',
  };
  try {
    return { ...fallback, ...((await response.json()) as Problem) };
  } catch {
    return fallback;
  }
}

/** The lines of an NDJSON answer, as they come. */
export async function* readLines<T>(response: Response): AsyncGenerator<T, void, undefined> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? '')).split('\n');
    rest = done ? '' : lines.pop()!;
    for (const line of lines) if (line !== '') yield JSON.parse(line) as T;
    if (done) return;
  }
}
