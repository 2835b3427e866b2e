import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { TopologyStore } from 'wherry';
import type { User } from './accounts.ts';
import { ACCESS_KINDS, Documents } from './documents.ts';

/** What the store keeps of a session, under the digest of its id: who reads it has no session. */
interface SessionDocument {
  readonly user: string;
  /** Of the password that it was begun with: another one ends it. */
  readonly stamp: string;
  readonly createdAt: number;
  readonly seenAt: number;
}

export interface Session {
  readonly user: string;
  /** Shown by every request that changes something. */
  readonly csrfToken: string;
  /** Milliseconds since 1970: sooner, when it is not used. */
  readonly expiresAt: number;
}

export interface SessionsParts {
  /** Of the default virtual host's store: a session holds on every broker that has it. */
  readonly topology: TopologyStore;
  readonly findUser: (name: string) => User | undefined;
  readonly now: () => number;
}

export const SESSION_IDLE_MS: number = 60 * 60_000;
export const SESSION_LENGTH_MS: number = 12 * 60 * 60_000;
/** How often the store is told that a session is used. */
const SEEN_EVERY_MS = 5 * 60_000;
/** Most of one user, and of all; the oldest ends when there are more. */
export const SESSIONS_MAX = { perUser: 20, all: 2_000 } as const;

/**
 * Sessions of the dashboard. They are documents in the store, so that each broker on it knows them,
 * a restart leaves them, and logging out ends them everywhere at once: a signed cookie alone could
 * not be taken back.
 */
export class Sessions {
  readonly #documents: Documents<SessionDocument>;
  readonly #findUser: SessionsParts['findUser'];
  readonly #now: () => number;
  /** Those that the store is being told of. */
  readonly #touching = new Set<string>();

  constructor({ topology, findUser, now }: SessionsParts) {
    this.#documents = new Documents(topology, ACCESS_KINDS.session);
    this.#findUser = findUser;
    this.#now = now;
  }

  open(): Promise<void> {
    return this.#documents.open();
  }

  close(): void {
    this.#documents.close();
  }

  /** Calls back after each change. @returns how to stop */
  watch(listener: () => void): () => void {
    return this.#documents.watch(listener);
  }

  /** @returns the id of a new session of a user who has just shown the password */
  async begin(name: string, user: User): Promise<string> {
    await this.#makeRoom(name);
    const id = randomBytes(32).toString('base64url');
    const now = this.#now();
    const document = { user: name, stamp: stampOf(user), createdAt: now, seenAt: now };
    await this.#documents.put(keyOf(id), () => document);
    return id;
  }

  /** @returns the session, unless it has ended or its user has another password since */
  find(id: string): Session | null {
    const key = keyOf(id);
    const document = this.#documents.get(key);
    if (document === undefined) return null;
    const now = this.#now();
    if (isOver(document, now)) {
      this.#inBackground(this.#documents.remove(key));
      return null;
    }
    // It stays: on a broker of another configuration its user may be there, with that password.
    const user = this.#findUser(document.user);
    if (user === undefined || stampOf(user) !== document.stamp) return null;
    if (now - document.seenAt >= SEEN_EVERY_MS) this.#touch(key, now);
    return {
      user: document.user,
      csrfToken: csrfTokenOf(id),
      expiresAt: document.createdAt + SESSION_LENGTH_MS,
    };
  }

  async end(id: string): Promise<void> {
    await this.#documents.remove(keyOf(id));
  }

  #touch(key: string, now: number): void {
    if (this.#touching.has(key)) return;
    this.#touching.add(key);
    const touched = this.#documents.put(key, (present) => {
      // It was ended meanwhile: this must not bring it back.
      if (present === undefined) throw new SessionEnded();
      return { ...present, seenAt: now };
    });
    this.#inBackground(touched.finally(() => this.#touching.delete(key)));
  }

  /** What fails here fails for nobody: the session is looked at again with the next request. */
  #inBackground(work: Promise<unknown>): void {
    work.catch(() => undefined);
  }

  async #makeRoom(user: string): Promise<void> {
    const entries = this.#documents.entries();
    const now = this.#now();
    const ended = entries.filter(([, document]) => isOver(document, now));
    const alive = entries
      .filter(([, document]) => !isOver(document, now))
      .toSorted(([, a], [, b]) => a.createdAt - b.createdAt);
    const own = alive.filter(([, document]) => document.user === user);
    const tooMany = [
      ...own.slice(0, Math.max(0, own.length + 1 - SESSIONS_MAX.perUser)),
      ...alive.slice(0, Math.max(0, alive.length + 1 - SESSIONS_MAX.all)),
    ];
    const names = new Set([...ended, ...tooMany].map(([name]) => name));
    await Promise.all([...names].map((name) => this.#documents.remove(name)));
  }
}

/** Thrown to leave a compare-and-set; nobody sees it. */
class SessionEnded extends Error {}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}

function isOver({ createdAt, seenAt }: SessionDocument, now: number): boolean {
  return now >= createdAt + SESSION_LENGTH_MS || now >= seenAt + SESSION_IDLE_MS;
}

function stampOf({ passwordHash }: User): string {
  return createHash('sha256').update(passwordHash).digest('base64url');
}

/** Follows from the id, which no script can read: nothing is to be kept. */
function csrfTokenOf(id: string): string {
  return createHmac('sha256', id).update('wherry csrf').digest('base64url');
}
