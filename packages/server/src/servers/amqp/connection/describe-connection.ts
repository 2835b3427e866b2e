import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { AmqpConnectionInfo } from './connections.ts';
import type { Session } from './session.ts';

/** What is taken of a client's texts: they are shown, and nothing else. */
const TEXT_MAX = 200;

/** What a client says of itself, as lists show it. */
export type ShownClient = Pick<AmqpConnectionInfo, 'name' | 'product' | 'version'>;

/** @param properties whatever it sent: the rest is not kept */
export function describeClient(properties: Readonly<Record<string, unknown>>): ShownClient {
  const text = (key: string): string | null => {
    const value = properties[key];
    return typeof value === 'string' ? value.slice(0, TEXT_MAX) : null;
  };
  return { name: text('connection_name'), product: text('product'), version: text('version') };
}

/** @returns what a socket knows of itself */
export function describeSocket(
  socket: Socket,
): Pick<AmqpConnectionInfo, 'tls' | 'bytesReceived' | 'bytesSent'> {
  const { bytesRead: bytesReceived, bytesWritten: bytesSent } = socket;
  if (!(socket instanceof TLSSocket)) return { tls: null, bytesReceived, bytesSent };
  const protocol = socket.getProtocol() ?? '';
  // A socket that has closed has none any more.
  const { name: cipher = '' } = (socket.getCipher() as { name?: string } | undefined) ?? {};
  return { tls: { protocol, cipher }, bytesReceived, bytesSent };
}

/** @param session null: it has not been opened */
export function describeSession(
  session: Pick<Session, 'identity' | 'user' | 'vhost'> | null,
): Pick<AmqpConnectionInfo, 'user' | 'userKind' | 'vhost'> {
  if (session === null) return { user: null, userKind: null, vhost: null };
  const { identity, user, vhost } = session;
  return { user, userKind: identity.kind, vhost: vhost.name };
}
