/**
 * How `body` came to be, so that it can be given back as it was. 'amqp': a content of AMQP 0-9-1, its
 * properties and its payload in one, which `readContent` takes apart.
 */
export type PayloadEncoding = 'json' | 'text' | 'bytes' | 'amqp';

/** Whether bodies of this encoding are text; all others are bytes. */
export function isTextual(encoding: PayloadEncoding): boolean {
  return encoding === 'json' || encoding === 'text';
}
