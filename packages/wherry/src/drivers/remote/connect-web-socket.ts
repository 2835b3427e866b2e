import { WebSocket } from 'ws';
import { StorageError } from '../../core/errors.ts';
import type { RemoteAddress } from './address.ts';
import type { Channel } from './channel.ts';
import { webSocketChannel } from './web-socket-channel.ts';

type WebSocketAddress = Extract<RemoteAddress, { kind: 'web-socket' }>;

const HANDSHAKE_MAX_MS = 5_000;
/** More than a channel puts into one message. */
const MESSAGE_MAX = 1024 * 1024;

/** What a broker's, or a proxy's, refusal means: the code, and what to do. Others pass by themselves. */
const REFUSALS: Readonly<Record<number, readonly [code: string, meaning: string]>> = {
  401: ['STORAGE_AUTH', 'does not accept the credentials. Correct the user and password, or token'],
  403: [
    'STORAGE_AUTH',
    "does not let these credentials in. They need the permissions configure, write and read on '*'",
  ],
  404: [
    'STORAGE_OPEN',
    'has no such virtual host, or there is something else than a broker. Correct the URL',
  ],
};

/** @throws StorageError when the broker refuses; what the network says otherwise */
export function connectWebSocket(address: WebSocketAddress, signal: AbortSignal): Promise<Channel> {
  const { url, authorization } = address;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers: authorization === null ? {} : { authorization },
      handshakeTimeout: HANDSHAKE_MAX_MS,
      maxPayload: MESSAGE_MAX,
      perMessageDeflate: false,
    });
    const abort = (): void => socket.terminate();
    signal.addEventListener('abort', abort);
    const settle = (): void => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
    };
    const fail = (error: Error): void => {
      settle();
      // What it says of a connection that was ended before it was made.
      socket.on('error', () => undefined);
      reject(error);
    };
    socket.once('error', fail);
    socket.once('unexpected-response', (request, response) => {
      request.destroy();
      fail(refusalOf(response.statusCode ?? 0, address.where));
    });
    // In the same turn as the event: no message may come before somebody listens.
    socket.once('open', () => {
      settle();
      resolve(webSocketChannel(socket));
    });
  });
}

function refusalOf(status: number, where: string): StorageError {
  const refusal = REFUSALS[status];
  if (refusal !== undefined) {
    const [code, meaning] = refusal;
    return new StorageError(`The broker at ${where} ${meaning} (HTTP ${status}).`, { code });
  }
  const isPassing = status >= 500 || status === 429 || status === 408;
  return new StorageError(
    `What answers at ${where} is no broker, or not ready (HTTP ${status}). Check the URL.`,
    { code: 'STORAGE_OPEN', retriable: isPassing },
  );
}
