import { MessageQueueError, StorageError } from '../core/errors.ts';
import { codeOf, InterruptedError, UsageError } from './errors.ts';
import type { Invocation } from './invocation.ts';
import { storeScheme } from './store.ts';

/** One request to the HTTP API of the broker that `--store` names. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** Where it is for the whole broker, and, given a percent-encoded name, for one virtual host. */
  readonly path: (vhost: string | null) => string;
  /** JSON. */
  readonly body?: Buffer;
}

/**
 * Credentials are those of `--store`, or the token of the environment.
 * @param what needs a broker: for the message where the store is none
 * @returns the answer's body
 * @throws UsageError, StorageError when the broker cannot be reached, and what it answers
 */
export async function callBroker(
  { io, signal, storeUrl }: Invocation,
  what: string,
  { method, path, body }: ApiRequest,
): Promise<string> {
  const { parseAddress } = await import('../drivers/remote/address.ts');
  const isBroker = /^https?$/.test(storeScheme(storeUrl) ?? '');
  const address = isBroker ? parseAddress(storeUrl, io.env['WHERRY_TOKEN'] || undefined) : null;
  if (address?.kind !== 'web-socket') {
    throw new UsageError(
      `${what} are a broker's, and '${storeUrl}' is a store. Name the broker that has it with ` +
        `--store http://HOST:PORT; this one starts one: wherry serve --store '${storeUrl}'`,
    );
  }
  const { broker, vhost, authorization, where } = address;
  const headers = {
    ...(authorization !== null && { authorization }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  try {
    const response = await fetch(broker + path(vhost), {
      method,
      headers,
      signal,
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw answered(where, response.status, text);
    return text;
  } catch (error) {
    if (error instanceof MessageQueueError) throw error;
    if (signal.aborted) throw new InterruptedError();
    throw unreachable(where, error);
  }
}

/** What an answer that is none of success says: a problem of ours, or a refusal of RabbitMQ's. */
function answered(where: string, status: number, text: string): MessageQueueError {
  if (status === 401) {
    const message = `${where} does not accept the credentials. Correct the user and password, or token.`;
    return new StorageError(message, { code: 'STORAGE_AUTH' });
  }
  let told: { code?: unknown; detail?: unknown; reason?: unknown } = {};
  try {
    told = Object(JSON.parse(text)) as typeof told;
  } catch {
    // It is the status that counts then.
  }
  const { detail, reason } = told;
  const why = typeof reason === 'string' ? ` (${reason})` : '';
  const message = typeof detail === 'string' ? detail : `${where} answers ${status}${why}.`;
  const code = typeof told.code === 'string' ? told.code : 'STORAGE';
  return status >= 500 && status !== 501
    ? new StorageError(message, { code, retriable: status === 503 })
    : new MessageQueueError(code, message);
}

function unreachable(where: string, error: unknown): StorageError {
  const { cause } = error as { cause?: unknown };
  const why = cause === undefined ? (error as Error).message : codeOf(cause);
  return new StorageError(
    `The broker at ${where} cannot be reached (${why}). Check that it runs, and its address.`,
    { code: 'STORAGE_UNAVAILABLE', retriable: true, cause: error },
  );
}
