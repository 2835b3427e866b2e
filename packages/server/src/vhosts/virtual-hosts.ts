import { rm } from 'node:fs/promises';
import {
  ClosedError,
  type Duration,
  type MessageQueueSystem,
  StorageError,
  type TopologyStore,
  ValidationError,
} from 'wherry';
import { ACCESS_KINDS, Documents } from '../access/documents.ts';
import { LimitReachedError } from '../access/errors.ts';
import { VhostNotEmptyError, VhostNotFoundError } from './errors.ts';
import { folderOf, newPlace, storeOf } from './place.ts';

/** The name of the virtual host that is always there. */
export const DEFAULT_VHOST = '/';

interface VhostDocument {
  /** Where its messages are, within the broker's store. */
  readonly place: string;
  readonly description: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Nobody serves it any more; whoever finds it so at the start finishes. */
  readonly isDeleting: boolean;
}

export interface VhostInfo {
  readonly name: string;
  readonly description: string;
  /** Milliseconds since 1970; null: the default one, which was always there. */
  readonly createdAt: number | null;
  readonly queues: number;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
}

export interface VirtualHostsParts {
  /** Serves the default virtual host, and is not closed with the others. */
  readonly main: MessageQueueSystem;
  /** Of `main`: knows which others there are. */
  readonly topology: TopologyStore;
  /** The broker's, as its configuration names it. */
  readonly store: string;
  readonly openSystem: (store: string) => Promise<MessageQueueSystem>;
  /** Most virtual hosts, the default one included. */
  readonly max: number;
  readonly now: () => number;
}

/** Is told what happens to virtual hosts besides what is asked for. */
export interface VhostObserver {
  opened(vhost: string, system: MessageQueueSystem): void;
  /** It could not be opened, or not be removed whole: the others go on. */
  failed(error: unknown, vhost: string): void;
}

interface Opened {
  readonly place: string;
  readonly system: Promise<MessageQueueSystem>;
}

/**
 * The virtual hosts of a broker: each is a system of its own, on a store of its own, and shares
 * nothing with the others. Which there are stands in the default one's store, where all brokers on
 * it look.
 */
export class VirtualHosts {
  readonly #parts: VirtualHostsParts;
  readonly #documents: Documents<VhostDocument>;
  readonly #opened = new Map<string, Opened>();
  readonly #ready = new Map<string, MessageQueueSystem>();
  /** Of each name, systems on their way to be closed. */
  readonly #closing = new Map<string, Promise<unknown>>();
  /** Deletions under way: who asks for the same one waits for it. */
  readonly #erasing = new Map<string, Promise<void>>();
  readonly #beforeClose = new Set<(system: MessageQueueSystem) => Promise<void>>();
  #observer: VhostObserver | null = null;
  #isClosed = false;

  constructor(parts: VirtualHostsParts) {
    this.#parts = parts;
    this.#documents = new Documents(parts.topology, ACCESS_KINDS.vhost);
    this.#ready.set(DEFAULT_VHOST, parts.main);
  }

  /** Opens those that there are. One that cannot be opened is told of, and tried again when it is asked for. */
  async open(observer: VhostObserver): Promise<void> {
    this.#observer = observer;
    observer.opened(DEFAULT_VHOST, this.#parts.main);
    await this.#documents.open();
    const entries = this.#documents.entries();
    await Promise.allSettled(
      entries.map(([name, document]) =>
        document.isDeleting ? this.#erase(name, document) : this.#open(name, document),
      ),
    );
    this.#documents.watch((name, document) => this.#follow(name, document));
  }

  /** Is waited for before a system closes: for what serves it to others. */
  beforeClose(listener: (system: MessageQueueSystem) => Promise<void>): void {
    this.#beforeClose.add(listener);
  }

  /** @returns the system of a virtual host; undefined: there is none of this name, or it is not open */
  find(name: string): MessageQueueSystem | undefined {
    return this.#ready.get(name);
  }

  /** @returns the same, once it is open @throws StorageError when it cannot be opened */
  async opened(name: string): Promise<MessageQueueSystem | undefined> {
    const ready = this.#ready.get(name);
    if (ready !== undefined) return ready;
    const document = this.#documents.get(name);
    if (document === undefined || document.isDeleting) return undefined;
    return this.#open(name, document);
  }

  names(): string[] {
    return [...this.#ready.keys()];
  }

  /** @returns '' also when there is no virtual host of this name */
  descriptionOf(name: string): string {
    return this.#documents.get(name)?.description ?? '';
  }

  /** @throws VhostNotFoundError */
  async describe(name: string): Promise<VhostInfo> {
    const system = await this.opened(name);
    if (system === undefined) throw new VhostNotFoundError(name);
    const description = this.descriptionOf(name);
    const createdAt = this.#documents.get(name)?.createdAt ?? null;
    const infos = await system.listQueueInfo();
    const sum = (state: 'ready' | 'scheduled' | 'leased'): number =>
      infos.reduce((total, info) => total + info[state], 0);
    const counts = { ready: sum('ready'), scheduled: sum('scheduled'), leased: sum('leased') };
    return { name, description, createdAt, queues: infos.length, ...counts };
  }

  /**
   * Makes a virtual host, or changes the description of one.
   * @returns whether it is new
   * @throws LimitReachedError, ValidationError, StorageError
   */
  async put(
    name: string,
    { description }: { readonly description?: string | undefined },
  ): Promise<boolean> {
    if (name === DEFAULT_VHOST) {
      throw new ValidationError(`The virtual host '${name}' is always there, as it is.`);
    }
    const { max, now, store } = this.#parts;
    const place = newPlace(name);
    // Refused before anything is stored.
    storeOf(store, place);
    const { value, isNew } = await this.#documents.put(name, (present) => {
      if (present?.isDeleting === true) {
        throw new StorageError(
          `Virtual host '${name}' is being deleted. Try again when it is gone; ` +
            'when it stays, delete it once more.',
          {
            code: 'CONFLICT',
            retriable: true,
          },
        );
      }
      if (present !== undefined) {
        return { ...present, description: description ?? present.description };
      }
      if (this.#documents.size + 1 >= max) throw new LimitReachedError('virtual hosts', max);
      return { place, description: description ?? '', createdAt: now(), isDeleting: false };
    });
    await this.#open(name, value);
    return isNew;
  }

  /**
   * Deletes a virtual host with all it holds: its schedules, exchanges and queues, and the folder,
   * if it has one. Of a Redis or PostgreSQL, an empty store of its name is left. One whose deletion
   * has failed on the way is deleted by asking again.
   * @throws VhostNotFoundError, VhostNotEmptyError, ValidationError
   */
  async remove(name: string, options: { readonly force: boolean }): Promise<void> {
    if (name === DEFAULT_VHOST) {
      throw new ValidationError(`The virtual host '${name}' cannot be deleted. Delete its queues.`);
    }
    const begun = this.#documents.get(name);
    if (begun?.isDeleting === true) return this.#erase(name, begun);
    const { ready, scheduled, leased } = await this.describe(name);
    const messages = ready + scheduled + leased;
    if (messages > 0 && !options.force) throw new VhostNotEmptyError(name, messages);
    const { value } = await this.#documents.put(name, (present) => {
      if (present === undefined) throw new VhostNotFoundError(name);
      return { ...present, isDeleting: true };
    });
    await this.#erase(name, value);
  }

  /** @param options.deadline until running handlers are abandoned */
  async close(options: { readonly deadline?: Duration } = {}): Promise<void> {
    this.#isClosed = true;
    this.#documents.close();
    await Promise.all([...this.#opened.keys()].map((name) => this.#shut(name, options)));
    await Promise.all(this.#closing.values());
  }

  #follow(name: string, document: VhostDocument | undefined): void {
    if (document === undefined || document.isDeleting) void this.#shut(name, { deadline: 0 });
    // The rejection is told, and the next who asks for it tries again.
    else this.#open(name, document).catch(() => undefined);
  }

  #open(name: string, { place }: VhostDocument): Promise<MessageQueueSystem> {
    const present = this.#opened.get(name);
    if (present?.place === place) return present.system;
    if (this.#isClosed) return Promise.reject(new ClosedError('The broker'));
    // It was deleted and made again while nobody looked.
    if (present !== undefined) void this.#shut(name, { deadline: 0 });
    const opened: Opened = { place, system: this.#openSystem(name, place) };
    this.#opened.set(name, opened);
    opened.system.catch((error: unknown) => {
      if (this.#opened.get(name) === opened) this.#opened.delete(name);
      this.#observer?.failed(error, name);
    });
    return opened.system;
  }

  async #openSystem(name: string, place: string): Promise<MessageQueueSystem> {
    const { store, openSystem } = this.#parts;
    const system = await openSystem(storeOf(store, place));
    // Meanwhile deleted, or all is closed: whoever shut it waits for it.
    if (this.#opened.get(name)?.place === place && !this.#isClosed) {
      this.#ready.set(name, system);
      this.#observer?.opened(name, system);
    }
    return system;
  }

  /**
   * Serves it no more. What was asked of it and is not done rejects.
   * @returns once nothing of this name is open, whoever has shut it
   */
  async #shut(name: string, options: { readonly deadline?: Duration }): Promise<void> {
    const opened = this.#opened.get(name);
    this.#opened.delete(name);
    this.#ready.delete(name);
    const before = this.#closing.get(name);
    if (opened === undefined) {
      await before;
      return;
    }
    const closed = Promise.all([before, this.#closeSystem(name, opened, options)]);
    this.#closing.set(name, closed);
    await closed;
    if (this.#closing.get(name) === closed) this.#closing.delete(name);
  }

  async #closeSystem(
    name: string,
    opened: Opened,
    options: { readonly deadline?: Duration },
  ): Promise<void> {
    try {
      const system = await opened.system.catch(() => undefined);
      if (system === undefined) return;
      await Promise.all([...this.#beforeClose].map((listener) => listener(system)));
      await system.close(options);
    } catch (error) {
      this.#observer?.failed(error, name);
    }
  }

  #erase(name: string, document: VhostDocument): Promise<void> {
    let erasing = this.#erasing.get(name);
    if (erasing === undefined) {
      erasing = this.#eraseNow(name, document).finally(() => this.#erasing.delete(name));
      this.#erasing.set(name, erasing);
    }
    return erasing;
  }

  async #eraseNow(name: string, { place }: VhostDocument): Promise<void> {
    const { store, openSystem } = this.#parts;
    await this.#shut(name, { deadline: 0 });
    try {
      const folder = folderOf(store, place);
      // A folder goes as a whole; elsewhere others may still have it open, and must see it go.
      if (folder !== null) await rm(folder, { recursive: true, force: true });
      else await empty(await openSystem(storeOf(store, place)));
      await this.#documents.remove(name);
    } catch (error) {
      this.#observer?.failed(error, name);
      throw error;
    }
  }
}

/** Deletes all that a system holds, and closes it. */
async function empty(system: MessageQueueSystem): Promise<void> {
  try {
    for (const { name } of system.listSchedules()) await system.removeSchedule(name);
    for (const { name } of system.listExchanges()) await system.deleteExchange(name);
    for (const { name } of system.listQueues()) await system.deleteQueue(name, { force: true });
  } finally {
    await system.close({ deadline: 0 });
  }
}
