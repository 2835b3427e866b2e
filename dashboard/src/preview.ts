import type { StoredMessage } from './api/types.ts';
import { formatBytes } from './format.ts';

const LENGTH = 120;

/** A payload in a line. */
export function preview({ payload, payloadEncoding }: StoredMessage): string {
  if (payloadEncoding === 'base64')
    return `${formatBytes((payload as string).length * 0.75)} of bytes`;
  const text = typeof payload === 'string' ? payload : (JSON.stringify(payload) ?? '');
  const line = text
    .slice(0, LENGTH + 1)
    .replaceAll(/\s+/gu, ' ')
    .trim();
  if (line === '') return '(empty)';
  return text.length > LENGTH ? `${line.slice(0, LENGTH)}…` : line;
}
