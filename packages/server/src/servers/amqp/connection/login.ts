import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Access } from '../../../access/access.ts';
import { ANONYMOUS_ADMIN, type Identity } from '../../../access/identity.ts';
import { parseAmqplain, parsePlain } from '../../../protocols/amqp/sasl.ts';

/** Who has logged in. */
export interface Login {
  readonly identity: Identity;
  /** The name in errors, lists and the property `user-id`. */
  readonly user: string;
}

/** The name of everybody, while there are no accounts. */
const ANONYMOUS_USER = 'guest';

const PASSWORD_MECHANISMS = { PLAIN: parsePlain, AMQPLAIN: parseAmqplain } as const;

/** @returns the mechanisms by which a client at the other end of a socket may log in */
export function mechanismsFor(socket: Socket): string {
  const names = Object.keys(PASSWORD_MECHANISMS);
  return (certifiedName(socket) === null ? names : [...names, 'EXTERNAL']).join(' ');
}

/**
 * @param response what the client says by the mechanism
 * @returns null when nobody is let in by that
 * @throws LoginThrottledError, PasswordsBusyError
 */
export async function logIn(
  { authenticator }: Pick<Access, 'authenticator'>,
  { mechanism, response, socket }: { mechanism: string; response: Buffer; socket: Socket },
): Promise<Login | null> {
  if (mechanism === 'EXTERNAL') {
    const name = certifiedName(socket);
    const identity = name === null ? null : authenticator.ofCertificate(name);
    return identity && { identity, user: identity.name };
  }
  if (!Object.hasOwn(PASSWORD_MECHANISMS, mechanism)) return null;
  const parse = PASSWORD_MECHANISMS[mechanism as keyof typeof PASSWORD_MECHANISMS];
  const credentials = parse(response);
  if (credentials === null) return null;
  const { user, password } = credentials;
  const identity = await authenticator.login(user, password, socket.remoteAddress ?? '');
  if (identity === null) return null;
  return { identity, user: identity === ANONYMOUS_ADMIN ? ANONYMOUS_USER : identity.name };
}

/** @returns the common name of a certificate that an authority of ours has signed; null: none */
function certifiedName(socket: Socket): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  // A name that stands there twice is nobody's.
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' && name !== '' ? name : null;
}
