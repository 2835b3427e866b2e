import { createHmac, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Accounts, User } from './accounts.ts';
import { ANONYMOUS_ADMIN, type Identity } from './identity.ts';
import { isImported, type Passwords } from './passwords.ts';
import type { Sessions } from './sessions.ts';
import type { LoginThrottle } from './throttle.ts';

/** What a request shows of who makes it. */
export interface Credentials {
  /** The header, as it came. */
  readonly authorization: string | undefined;
  /** Of the session cookie. */
  readonly sessionId: string | undefined;
  /** For the throttle. */
  readonly remoteAddress: string;
}

export interface AuthenticatorParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly throttle: LoginThrottle;
  /** The broker listens on loopback only: while there are no accounts, everybody is an administrator. */
  readonly allowsAnonymous: boolean;
  readonly now: () => number;
}

/** A password that was right is believed for so long, without hashing it again. */
const REMEMBERED_MS = 5 * 60_000;
const REMEMBERED_MAX = 1_000;

/** Finds out who makes a request. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  /** For as long as the process: what is remembered of passwords is of no use outside of it. */
  readonly #key: Buffer = randomBytes(32);
  /** Right passwords by keyed digest of name and password, the one used last at the end. */
  readonly #remembered = new Map<string, { passwordHash: string; until: number }>();
  /** Checks under way: many requests that come at once with the same password share one. */
  readonly #checking = new Map<string, Promise<User | null>>();

  /** Of each identity that was given out, how to look whether it would be given out now. */
  readonly #again = new WeakMap<Identity, () => Identity | null>();

  readonly #failed = new Set<(address: string) => void>();

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /**
   * @returns who it is; null when credentials are needed, and missing or wrong
   * @throws LoginThrottledError, PasswordsBusyError
   */
  async authenticate(credentials: Credentials): Promise<Identity | null> {
    const { accounts, allowsAnonymous } = this.#parts;
    const { authorization, sessionId, remoteAddress } = credentials;
    if (authorization !== undefined) return this.#ofHeader(authorization, remoteAddress);
    if (sessionId !== undefined) {
      const session = this.#parts.sessions.find(sessionId);
      const user = session === null ? undefined : accounts.user(session.user);
      if (user !== undefined) {
        return this.#identityOf('user', session!.user, user, () =>
          this.#parts.sessions.find(sessionId) === null ? undefined : accounts.user(session!.user),
        );
      }
    }
    return allowsAnonymous && accounts.isEmpty ? ANONYMOUS_ADMIN : null;
  }

  /**
   * Of a protocol where everybody gives a name and a password. A token in the place of the password
   * is good with any name.
   * @returns who it is; null when either is wrong
   * @throws LoginThrottledError, PasswordsBusyError
   */
  async login(name: string, password: string, address: string): Promise<Identity | null> {
    const { accounts, allowsAnonymous } = this.#parts;
    if (allowsAnonymous && accounts.isEmpty) return ANONYMOUS_ADMIN;
    return this.#ofToken(password) ?? this.#ofPassword(name, password, address);
  }

  /**
   * Who shows a certificate that was checked needs no password.
   * @returns the user of this name, or null
   */
  ofCertificate(name: string): Identity | null {
    const { accounts } = this.#parts;
    const user = accounts.user(name);
    if (user === undefined) return null;
    return this.#identityOf('user', name, user, () => accounts.user(name));
  }

  /** Calls back with the address that a wrong name or password came from. */
  whenLoginFails(listener: (address: string) => void): void {
    this.#failed.add(listener);
  }

  /**
   * Whether the same request would still be answered with this identity, with the same rights. A
   * connection that stays open asks when accounts or sessions have changed.
   */
  isPresent(identity: Identity): boolean {
    return isDeepStrictEqual(this.renew(identity), identity);
  }

  /** @returns the identity with the rights that it has now; null: it would not be let in any more */
  renew(identity: Identity): Identity | null {
    if (identity === ANONYMOUS_ADMIN) return this.#parts.accounts.isEmpty ? identity : null;
    return this.#again.get(identity)?.() ?? null;
  }

  /**
   * @returns the user, or null when the name or the password is wrong
   * @throws LoginThrottledError, PasswordsBusyError
   */
  async checkPassword(name: string, password: string, address: string): Promise<User | null> {
    const user = this.#parts.accounts.user(name);
    const key = createHmac('sha256', this.#key)
      .update(JSON.stringify([name, password]))
      .digest('base64');
    const remembered = this.#remembered.get(key);
    if (user !== undefined && remembered !== undefined) {
      const isPresent = remembered.passwordHash === user.passwordHash;
      if (isPresent && this.#parts.now() < remembered.until) return user;
      this.#remembered.delete(key);
    }
    let checking = this.#checking.get(key);
    if (checking === undefined) {
      checking = this.#check(name, password, address, key).finally(() =>
        this.#checking.delete(key),
      );
      this.#checking.set(key, checking);
    }
    return checking;
  }

  async #check(name: string, password: string, address: string, key: string): Promise<User | null> {
    const { accounts, passwords, throttle, now } = this.#parts;
    const succeeded = throttle.begin(name, address);
    const user = accounts.user(name);
    const isRight = await passwords.verify(password, user?.passwordHash);
    if (!isRight || user === undefined) {
      for (const listener of this.#failed) listener(address);
      return null;
    }
    succeeded();
    if (isImported(user.passwordHash)) return this.#rehash(name, password, user);
    this.#remembered.set(key, { passwordHash: user.passwordHash, until: now() + REMEMBERED_MS });
    if (this.#remembered.size > REMEMBERED_MAX) {
      const [oldest] = this.#remembered.keys();
      this.#remembered.delete(oldest!);
    }
    return user;
  }

  /** What another broker has hashed is hashed as it should be, now that the password is here. */
  async #rehash(name: string, password: string, user: User): Promise<User | null> {
    const { accounts, passwords } = this.#parts;
    try {
      const hash = await passwords.rehash(password);
      const present = await accounts.replaceHash(name, user.passwordHash, hash);
      if (present.passwordHash === hash) return present;
      // Somebody else was faster: with the same password, or with a new one.
      return (await passwords.verify(password, present.passwordHash)) ? present : null;
    } catch {
      // Logging in matters more. The next login tries again.
      return user;
    }
  }

  async #ofHeader(authorization: string, remoteAddress: string): Promise<Identity | null> {
    const [, scheme, value] = /^(basic|bearer) +(\S+) *$/i.exec(authorization) ?? [];
    if (scheme === undefined || value === undefined) return null;
    if (scheme.toLowerCase() === 'bearer') return this.#ofToken(value);
    const decoded = Buffer.from(value, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 0) return null;
    return this.#ofPassword(decoded.slice(0, colon), decoded.slice(colon + 1), remoteAddress);
  }

  #ofToken(secret: string): Identity | null {
    const { accounts } = this.#parts;
    const token = accounts.tokenOf(secret);
    if (token === undefined) return null;
    return this.#identityOf('token', token.name, token, () => accounts.tokenOf(secret));
  }

  async #ofPassword(name: string, password: string, address: string): Promise<Identity | null> {
    const user = await this.checkPassword(name, password, address);
    if (user === null) return null;
    const { accounts } = this.#parts;
    return this.#identityOf('user', name, user, () => {
      const present = accounts.user(name);
      return present?.passwordHash === user.passwordHash ? present : undefined;
    });
  }

  #identityOf(
    kind: 'user' | 'token',
    name: string,
    rights: Rights,
    again: () => Rights | undefined,
  ): Identity {
    const identity = describe(kind, name, rights);
    this.#again.set(identity, () => {
      const present = again();
      return present === undefined ? null : this.#identityOf(kind, name, present, again);
    });
    return identity;
  }
}

type Rights = Pick<Identity, 'admin' | 'permissions'>;

function describe(kind: 'user' | 'token', name: string, rights: Rights): Identity {
  return { kind, name, admin: rights.admin, permissions: rights.permissions };
}
