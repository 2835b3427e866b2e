import { isUtf8 } from 'node:buffer';
import { AmqpError } from './errors.ts';
import { decodeTable } from './table.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/**
 * The mechanism PLAIN (RFC 4616): an identity to act for, user and password, with a zero byte before
 * each of the latter two. Nobody acts for somebody else here.
 *
 * @returns null when the response is not that
 */
export function parsePlain(response: Buffer): Credentials | null {
  if (!isUtf8(response)) return null;
  const [actsFor, user, password, ...more] = response.toString().split('\0');
  if (user === undefined || password === undefined || more.length > 0) return null;
  return actsFor === '' || actsFor === user ? { user, password } : null;
}

/**
 * The mechanism AMQPLAIN of the older versions of AMQP: a table, without its length, of LOGIN and
 * PASSWORD.
 *
 * @returns null when the response is not that
 */
export function parseAmqplain(response: Buffer): Credentials | null {
  try {
    const table = decodeTable(response);
    const login = table.get('LOGIN');
    const password = table.get('PASSWORD');
    if (login?.type !== 'S' || password?.type !== 'S') return null;
    if (typeof login.value !== 'string' || typeof password.value !== 'string') return null;
    return { user: login.value, password: password.value };
  } catch (error) {
    if (error instanceof AmqpError) return null;
    throw error;
  }
}
