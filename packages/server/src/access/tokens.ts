import { createHash, randomBytes } from 'node:crypto';

/** Told apart from other secrets at a glance, by people and by scanners of repositories. */
const PREFIX = 'wht_';
const SECRET = /^wht_[\w-]{43}$/;

/** @returns a new token's secret: 256 random bits */
export function newTokenSecret(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/**
 * What is stored of a secret. It has 256 bits, so it needs no salt and no slow hash; and who looks
 * it up by its digest compares nothing that an attacker chooses.
 * @returns 64 hexadecimal digits of SHA-256
 */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Whether a secret has the form of ours. */
export function isTokenSecret(secret: string): boolean {
  return SECRET.test(secret);
}
