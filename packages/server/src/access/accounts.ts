import { createHash } from 'node:crypto';
import { type TopologyStore, ValidationError } from 'wherry';
import { ACCESS_KINDS, Documents } from './documents.ts';
import {
  AccountReadOnlyError,
  LastAdminError,
  LimitReachedError,
  NameTakenError,
  TokenNotFoundError,
  UserNotFoundError,
} from './errors.ts';
import type { Permission } from './identity.ts';
import { type Passwords, checkPasswordHash } from './passwords.ts';
import { digestOf, isTokenSecret, newTokenSecret } from './tokens.ts';

interface Account {
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
  /** Milliseconds since 1970; null: it stands in the configuration. */
  readonly createdAt: number | null;
}

export interface User extends Account {
  readonly passwordHash: string;
}

export interface Token extends Account {
  /** SHA-256 of the secret, which is nowhere. */
  readonly digest: string;
  /** Of the secret, to tell tokens apart. */
  readonly lastFour: string | null;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
}

/** What tells people and programs of an account: nothing secret. */
export type Described<T> = Omit<T, 'passwordHash' | 'digest'> & {
  readonly name: string;
  /** 'config': it is changed in the configuration only. */
  readonly source: 'store' | 'config';
};

/** What a configuration says of accounts. */
export interface AccountsConfig {
  readonly users?: readonly {
    readonly name: string;
    readonly admin?: boolean | undefined;
    readonly permissions?: readonly Permission[] | undefined;
    readonly password?: string | undefined;
    readonly passwordHash?: string | undefined;
  }[];
  readonly tokens?: readonly {
    readonly name: string;
    readonly admin?: boolean | undefined;
    readonly permissions?: readonly Permission[] | undefined;
    readonly digest: string;
  }[];
}

export interface UserChange {
  readonly password?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly admin?: boolean | undefined;
  readonly permissions?: readonly Permission[] | undefined;
}

export interface NewToken {
  readonly name: string;
  readonly admin?: boolean | undefined;
  readonly permissions?: readonly Permission[] | undefined;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
}

/** Most users, and most tokens, in a store. */
const ACCOUNTS_MAX = 10_000;

export interface AccountsParts {
  /** Of the default virtual host's store: all brokers on it have the same accounts. */
  readonly topology: TopologyStore;
  readonly passwords: Passwords;
  readonly now: () => number;
}

/** Who there is: users and tokens, those of the store and those of the configuration. */
export class Accounts {
  readonly #passwords: Passwords;
  readonly #now: () => number;
  readonly #users: Documents<User>;
  readonly #tokens: Documents<Token>;
  #configUsers: ReadonlyMap<string, User> = new Map();
  #configTokens: ReadonlyMap<string, Token> = new Map();
  /** Names of tokens by the digest of their secret; null when it must be made anew. */
  #byDigest: ReadonlyMap<string, string> | null = null;
  readonly #listeners = new Set<() => void>();
  /** The store has had accounts since this broker opened it. */
  #wasStored = false;
  /** Of the last change that was asked for: the next one begins when it is over. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor({ topology, passwords, now }: AccountsParts) {
    this.#passwords = passwords;
    this.#now = now;
    this.#users = new Documents(topology, ACCESS_KINDS.user);
    this.#tokens = new Documents(topology, ACCESS_KINDS.token);
    this.#users.watch(() => this.#changed());
    this.#tokens.watch(() => this.#changed());
  }

  async open(): Promise<void> {
    await this.#users.open();
    await this.#tokens.open();
  }

  close(): void {
    this.#users.close();
    this.#tokens.close();
  }

  /** Calls back after each change. @returns how to stop */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes the accounts of a configuration in the place of those of the one before. */
  async configure({ users = [], tokens = [] }: AccountsConfig): Promise<void> {
    const configUsers = new Map<string, User>();
    // One after the other: together they would be more than may wait.
    for (const { name, password = '', passwordHash, ...rights } of users) {
      // The same on every broker and after every start, or sessions would end with them.
      const salt = createHash('sha256').update(`wherry user ${name}`).digest().subarray(0, 16);
      const hash =
        passwordHash === undefined
          ? await this.#passwords.hash(password, salt)
          : checkPasswordHash(passwordHash);
      configUsers.set(name, { ...account(rights, null), passwordHash: hash });
    }
    this.#configUsers = configUsers;
    this.#configTokens = new Map(
      tokens.map(({ name, digest, ...rights }) => [
        name,
        { ...account(rights, null), digest, expiresAt: null, lastFour: null },
      ]),
    );
    this.#changed();
  }

  /**
   * Nobody is configured: on loopback, whoever asks may do everything. That never comes back once
   * the store has had an account.
   */
  get isEmpty(): boolean {
    return this.#configUsers.size + this.#configTokens.size === 0 && !this.#wasStored;
  }

  /** There are accounts besides those of the configuration. */
  get isStored(): boolean {
    return this.#users.size + this.#tokens.size > 0;
  }

  user(name: string): User | undefined {
    return this.#configUsers.get(name) ?? this.#users.get(name);
  }

  /** @returns the token that a secret belongs to, unless it has expired */
  tokenOf(secret: string): (Token & { readonly name: string }) | undefined {
    if (!isTokenSecret(secret)) return undefined;
    this.#byDigest ??= new Map([...this.#allTokens()].map(([name, { digest }]) => [digest, name]));
    const name = this.#byDigest.get(digestOf(secret));
    const token = name === undefined ? undefined : this.#token(name);
    if (token === undefined || this.#isExpired(token)) return undefined;
    return { ...token, name: name! };
  }

  listUsers(): Described<User>[] {
    return [...this.#allUsers()].map(([name, user]) => this.#describeUser(name, user));
  }

  /** @throws UserNotFoundError */
  describeUser(name: string): Described<User> {
    const user = this.user(name);
    if (user === undefined) throw new UserNotFoundError(name);
    return this.#describeUser(name, user);
  }

  listTokens(): Described<Token>[] {
    return [...this.#allTokens()].map(([name, token]) => this.#describeToken(name, token));
  }

  /**
   * Makes a user, or changes what is given of one.
   * @throws ValidationError, AccountReadOnlyError, LastAdminError, LimitReachedError, PasswordsBusyError
   */
  async putUser(
    name: string,
    change: UserChange,
  ): Promise<{ readonly user: Described<User>; readonly isNew: boolean }> {
    if (this.#configUsers.has(name)) throw new AccountReadOnlyError('User', name);
    const hash =
      change.password === undefined
        ? change.passwordHash
        : await this.#passwords.hash(change.password);
    return this.#inTurn(() => this.#putUser(name, change, hash));
  }

  async #putUser(
    name: string,
    change: UserChange,
    hash: string | undefined,
  ): Promise<{ readonly user: Described<User>; readonly isNew: boolean }> {
    let before: User | undefined;
    const { value, isNew } = await this.#users.put(name, (present) => {
      before = present;
      if (present === undefined) this.#checkRoom('users', this.#users.size);
      const passwordHash = hash ?? present?.passwordHash;
      if (passwordHash === undefined) {
        throw new ValidationError(`User '${name}' is new: give a password or a passwordHash.`);
      }
      const admin = change.admin ?? present?.admin ?? false;
      if (!admin) this.#checkAdminBeside('user', name);
      const permissions = change.permissions ?? present?.permissions ?? [];
      return { passwordHash, admin, permissions, createdAt: present?.createdAt ?? this.#now() };
    });
    if (before?.admin === true && !value.admin) {
      await this.#checkAdminLeft(() =>
        this.#users.put(name, (present = value) => ({ ...present, admin: true })),
      );
    }
    return { user: this.#describeUser(name, value), isNew };
  }

  /**
   * @param edit is given what the user may do, and says what it may do from now on
   * @throws UserNotFoundError, AccountReadOnlyError
   */
  async editPermissions(
    name: string,
    edit: (present: readonly Permission[]) => readonly Permission[],
  ): Promise<void> {
    if (this.#configUsers.has(name)) throw new AccountReadOnlyError('User', name);
    await this.#users.put(name, (present) => {
      if (present === undefined) throw new UserNotFoundError(name);
      return { ...present, permissions: edit(present.permissions) };
    });
  }

  /** Stores another hash of the same password. @returns the user; with another password it is as it is */
  async replaceHash(name: string, before: string, hash: string): Promise<User> {
    const { value } = await this.#users.put(name, (present) => {
      if (present === undefined) throw new UserNotFoundError(name);
      return present.passwordHash === before ? { ...present, passwordHash: hash } : present;
    });
    return value;
  }

  /** @throws UserNotFoundError, AccountReadOnlyError, LastAdminError */
  async removeUser(name: string): Promise<void> {
    if (this.#configUsers.has(name)) throw new AccountReadOnlyError('User', name);
    await this.#inTurn(async () => {
      const user = this.#users.get(name);
      if (user === undefined) throw new UserNotFoundError(name);
      this.#checkAdminBeside('user', name);
      await this.#users.remove(name);
      if (!user.admin) return;
      await this.#checkAdminLeft(() => this.#users.put(name, (present = user) => present));
    });
  }

  /**
   * @returns the token, and its secret, which nobody can be told again
   * @throws NameTakenError, LastAdminError, LimitReachedError
   */
  async createToken({ name, expiresAt, ...rights }: NewToken): Promise<{
    readonly token: Described<Token>;
    readonly secret: string;
  }> {
    if (this.#configTokens.has(name)) throw new AccountReadOnlyError('Token', name);
    const secret = newTokenSecret();
    const token: Token = {
      ...account(rights, this.#now()),
      digest: digestOf(secret),
      lastFour: secret.slice(-4),
      expiresAt,
    };
    const create = (present: Token | undefined): Token => {
      if (present !== undefined) throw new NameTakenError(name);
      this.#checkRoom('tokens', this.#tokens.size);
      if (!isLastingAdmin(token)) this.#checkAdminBeside('token', name);
      return token;
    };
    const { value } = await this.#inTurn(() => this.#tokens.put(name, create));
    return { token: this.#describeToken(name, value), secret };
  }

  /** @throws TokenNotFoundError, AccountReadOnlyError, LastAdminError */
  async removeToken(name: string): Promise<void> {
    if (this.#configTokens.has(name)) throw new AccountReadOnlyError('Token', name);
    await this.#inTurn(async () => {
      const token = this.#tokens.get(name);
      if (token === undefined) throw new TokenNotFoundError(name);
      this.#checkAdminBeside('token', name);
      await this.#tokens.remove(name);
      if (!isLastingAdmin(token)) return;
      await this.#checkAdminLeft(() => this.#tokens.put(name, (present = token) => present));
    });
  }

  /** One change after the other: each is checked against what the one before has left. */
  async #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const changed = this.#lastChange.then(change);
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  /**
   * Looks once more after a change: another broker may have taken the other administrator at the
   * same time. The one that looks last sees both changes; when both do, both are taken back.
   * @throws LastAdminError after taking the change back
   */
  async #checkAdminLeft(takeBack: () => Promise<unknown>): Promise<void> {
    await this.#users.refresh();
    await this.#tokens.refresh();
    if (this.#hasAdmin()) return;
    await takeBack();
    throw new LastAdminError();
  }

  /** @throws LastAdminError unless somebody but this account administers the broker for good */
  #checkAdminBeside(kind: 'user' | 'token', name: string): void {
    if (!this.#hasAdmin(kind, name)) throw new LastAdminError();
  }

  /** Somebody administers the broker for good, apart from the account that is named. */
  #hasAdmin(kind?: 'user' | 'token', name?: string): boolean {
    for (const [other, { admin }] of this.#allUsers()) {
      if (admin && !(kind === 'user' && other === name)) return true;
    }
    for (const [other, token] of this.#allTokens()) {
      if (isLastingAdmin(token) && !(kind === 'token' && other === name)) return true;
    }
    return false;
  }

  #changed(): void {
    this.#byDigest = null;
    this.#wasStored ||= this.isStored;
    for (const listener of this.#listeners) listener();
  }

  #checkRoom(what: string, size: number): void {
    if (size >= ACCOUNTS_MAX) throw new LimitReachedError(what, ACCOUNTS_MAX);
  }

  #token(name: string): Token | undefined {
    return this.#configTokens.get(name) ?? this.#tokens.get(name);
  }

  #isExpired({ expiresAt }: Token): boolean {
    return expiresAt !== null && expiresAt <= this.#now();
  }

  /** Of one name, the one of the configuration is the one that counts. */
  #allUsers(): Map<string, User> {
    return new Map([...this.#users.entries(), ...this.#configUsers]);
  }

  #allTokens(): Map<string, Token> {
    return new Map([...this.#tokens.entries(), ...this.#configTokens]);
  }

  #describeUser(name: string, { admin, permissions, createdAt }: User): Described<User> {
    const source = this.#configUsers.has(name) ? 'config' : 'store';
    return { name, admin, permissions, createdAt, source };
  }

  #describeToken(name: string, token: Token): Described<Token> {
    const { admin, permissions, createdAt, lastFour, expiresAt } = token;
    const source = this.#configTokens.has(name) ? 'config' : 'store';
    return { name, admin, permissions, createdAt, lastFour, expiresAt, source };
  }
}

function isLastingAdmin({ admin, expiresAt }: Token): boolean {
  return admin && expiresAt === null;
}

function account(
  { admin = false, permissions = [] }: Pick<UserChange, 'admin' | 'permissions'>,
  createdAt: number | null,
): Account {
  return { admin, permissions, createdAt };
}
