const MASK = '***';

/** Keys, wherever they stand, whose values nobody but the broker may see. */
const SECRET_KEYS: ReadonlySet<string> = new Set(['password', 'passwordHash', 'digest']);

/** @returns the value with every password, hash and digest in it masked, those in URLs included */
export function maskSecrets(value: unknown): unknown {
  if (typeof value === 'string') return maskUrl(value);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, below]) => [
      key,
      SECRET_KEYS.has(key) ? MASK : maskSecrets(below),
    ]),
  );
}

/** @returns the text with the passwords of the URLs in it masked */
export function maskUrl(text: string): string {
  return text
    .replaceAll(/(\w:\/\/[^\s/:@]*):[^\s@]*@/g, `$1:${MASK}@`)
    .replaceAll(/([?&](?:password|token)=)[^\s&]*/gi, `$1${MASK}`);
}
