import type { Headers, HeaderValue } from '../message.ts';
import type { HeadersMatch } from './exchange.ts';

/** Tells whether a message's headers are what a binding asks for. */
export type HeadersTest = (headers: Headers | null) => boolean;

/**
 * Makes the test of one binding of a headers exchange (AMQP 0-9-1, section 3.1.3.4, as RabbitMQ
 * reads it). A header matches when the message has it with an equal value of the same type,
 * numbers compared by value; asked for with `null`, it only has to be there. Asked for nothing,
 * `all` is content with any message and `any` with none.
 * @param wanted what the binding asks for
 * @param match whether all of it is needed, and whether names beginning with `x-` count
 */
export function headersTest(wanted: Headers | null, match: HeadersMatch): HeadersTest {
  const withX = match.endsWith('-with-x');
  const criteria = Object.entries(wanted ?? {}).filter(([name]) => withX || !name.startsWith('x-'));
  return match.startsWith('all')
    ? (headers) => criteria.every(([name, value]) => isMet(name, value, headers))
    : (headers) => criteria.some(([name, value]) => isMet(name, value, headers));
}

function isMet(name: string, wanted: HeaderValue, headers: Headers | null): boolean {
  // Own names only: otherwise every message would have a 'constructor' and a 'toString'.
  if (headers === null || !Object.hasOwn(headers, name)) return false;
  const value = headers[name];
  return value !== undefined && (wanted === null || value === wanted);
}
