import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { ValidationError } from 'wherry';
import { PasswordsBusyError } from './errors.ts';

/** What a hash costs: memory is 128 × N × r bytes. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordOptions {
  /** Of hashes that are made; those that are checked say theirs. Default: 2^17, 8, 1 (OWASP's). */
  readonly cost?: ScryptCost;
  /** Most at once: they share the thread pool with the disk. Default 2. */
  readonly concurrency?: number;
  /** Most that wait for their turn; beyond, they are turned away. Default 32. */
  readonly waiting?: number;
}

const OWASP_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const PASSWORD_LENGTH = { min: 8, max: 1_024 } as const;
/** A stored hash cannot ask for more: it may come from a configuration file. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/** As the PHC string format has it: `$scrypt$ln=17,r=8,p=1$SALT$HASH`, base64 without padding. */
const STORED =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/-]{11,128})\$([\w+/-]{22,128})$/;

/** RabbitMQ's, as its definitions have it: base64 of four bytes of salt and the hash of both. */
const IMPORTED = /^\$rabbitmq-(sha256|sha512)\$([A-Za-z0-9+/]{40,128}={0,2})$/;
const IMPORTED_SALT_BYTES = 4;
const IMPORTED_BYTES = { sha256: 32, sha512: 64 } as const;

interface ParsedHash {
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** Hashes passwords and checks them, few at once. */
export class Passwords {
  readonly #cost: ScryptCost;
  readonly #concurrency: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Checked for users that do not exist, so that they take as long. */
  readonly #nobody: ParsedHash;

  constructor(options: PasswordOptions = {}) {
    this.#cost = options.cost ?? OWASP_COST;
    this.#concurrency = options.concurrency ?? 2;
    this.#waitingMax = options.waiting ?? 32;
    this.#nobody = {
      cost: this.#cost,
      salt: randomBytes(SALT_BYTES),
      hash: randomBytes(HASH_BYTES),
    };
  }

  /**
   * @param salt at least 8 bytes; random ones unless the same hash must come out again
   * @returns a string that says how it was made
   * @throws ValidationError, PasswordsBusyError
   */
  async hash(password: string, salt: Buffer = randomBytes(SALT_BYTES)): Promise<string> {
    checkPassword(password);
    return this.rehash(password, salt);
  }

  /** The same for a password that is a user's already, however short it is. @throws PasswordsBusyError */
  async rehash(password: string, salt: Buffer = randomBytes(SALT_BYTES)): Promise<string> {
    const hash = await this.#derive(password, salt, this.#cost, HASH_BYTES);
    const { N, r, p } = this.#cost;
    return `$scrypt$ln=${Math.log2(N)},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`;
  }

  /**
   * @param stored what `hash` or `importPasswordHash` made; undefined for a user who does not exist:
   *   false, after as long
   * @throws PasswordsBusyError
   */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    const { cost, salt, hash } = (stored && parseHash(stored)) || this.#nobody;
    // A longer one was never hashed; nobody makes us read it.
    const given = password.length > PASSWORD_LENGTH.max ? '' : password;
    const derived = await this.#derive(given, salt, cost, hash.length);
    if (given === '' || stored === undefined) return false;
    // Not until now, so that nobody can tell by the time which users have one.
    if (isImported(stored)) return matchesImported(given, stored);
    return timingSafeEqual(derived, hash);
  }

  async #derive(
    password: string,
    salt: Buffer,
    { N, r, p }: ScryptCost,
    bytes: number,
  ): Promise<Buffer> {
    await this.#enter();
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        // Node allows 32 MiB unless it is told otherwise.
        const options = { N, r, p, maxmem: 128 * N * r + 128 * r * p + 1024 * 1024 };
        scrypt(password.normalize('NFC'), salt, bytes, options, (error, hash) =>
          error === null ? resolve(hash) : reject(error),
        );
      });
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#concurrency) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#waitingMax) {
      throw new PasswordsBusyError(this.#waitingMax);
    }
    // Whoever leaves hands the place on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

/** @returns what a configuration may have as `passwordHash` @throws ValidationError */
export function hashPassword(password: string): Promise<string> {
  return new Passwords().hash(password);
}

/** @throws ValidationError, which does not show the password */
function checkPassword(password: string): void {
  const { min, max } = PASSWORD_LENGTH;
  if (password.length >= min && password.length <= max) return;
  throw new ValidationError(
    `password has ${password.length} characters; it must have ${min} to ${max}.`,
  );
}

/** @throws ValidationError when it is no hash that `verify` could check */
export function checkPasswordHash(stored: string): string {
  if (parseHash(stored) !== null) return stored;
  throw new ValidationError(
    'passwordHash is no scrypt hash. It must look like $scrypt$ln=17,r=8,p=1$SALT$HASH ' +
      '(base64 without padding), and need at most 256 MiB.',
  );
}

/**
 * Of a password that only RabbitMQ knows: good for `verify`, and to be replaced as soon as the password
 * is there.
 * @param algorithm `rabbit_password_hashing_sha256` or `…_sha512`
 * @param hash base64, as its definitions have it
 * @throws ValidationError
 */
export function importPasswordHash(algorithm: string, hash: string): string {
  const [, name = ''] = /^rabbit_password_hashing_(sha256|sha512)$/.exec(algorithm) ?? [];
  const stored = `$rabbitmq-${name}$${hash}`;
  if (isImported(stored)) return stored;
  throw new ValidationError(
    `The password hash is none of rabbit_password_hashing_sha256 or …_sha512, but of '${algorithm}'. ` +
      'Give the user a new password.',
  );
}

export function isImported(stored: string): boolean {
  return parseImported(stored) !== null;
}

function parseImported(stored: string): {
  readonly algorithm: keyof typeof IMPORTED_BYTES;
  readonly bytes: Buffer;
} | null {
  const [, name, encoded = ''] = IMPORTED.exec(stored) ?? [];
  if (name === undefined) return null;
  const algorithm = name as keyof typeof IMPORTED_BYTES;
  const bytes = Buffer.from(encoded, 'base64');
  const length = IMPORTED_SALT_BYTES + IMPORTED_BYTES[algorithm];
  return bytes.length === length ? { algorithm, bytes } : null;
}

function matchesImported(password: string, stored: string): boolean {
  const { algorithm, bytes } = parseImported(stored)!;
  const salt = bytes.subarray(0, IMPORTED_SALT_BYTES);
  const hash = createHash(algorithm).update(salt).update(password).digest();
  return timingSafeEqual(hash, bytes.subarray(IMPORTED_SALT_BYTES));
}

function parseHash(stored: string): ParsedHash | null {
  const [, ln, r, p, salt, hash] = STORED.exec(stored) ?? [];
  if (hash === undefined) return null;
  const cost = { N: 2 ** Number(ln), r: Number(r), p: Number(p) };
  const isSane = cost.N > 1 && cost.r > 0 && cost.p > 0;
  if (!isSane || 128 * cost.N * cost.r * cost.p > MEMORY_BYTES_MAX) return null;
  return { cost, salt: Buffer.from(salt!, 'base64'), hash: Buffer.from(hash, 'base64') };
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
