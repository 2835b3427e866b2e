import { randomBytes } from 'node:crypto';
import { ClosedError, StorageError } from '../../core/errors.ts';
import { DueQueues } from './cluster/due-queues.ts';
import { Connection } from './connection.ts';
import { Listener } from './listener.ts';
import { RedisNotifier } from './notifier.ts';
import { examineServers, openFacts } from './opening.ts';
import type { RedisClient, RedisSettings } from './options.ts';
import { runScript, script, type ScriptArgument, type ScriptName } from './scripts.ts';
import type { ServerFacts } from './server-facts.ts';
import type { RedisStore } from './store.ts';
import { every } from './timers.ts';
import { RedisTopology } from './topology.ts';

/** News in an answer; see lua/call.lua. */
const READY = 1;
const ROOM = 2;
/** How often the topology's revision is compared: a notice may get lost without a word. */
const CHECK_MS = 10_000;
/** WAIT blocks the connection: shorter than the silence after which a socket counts as dead. */
const WAIT_MAX_MS = 4_000;

/** Everything that is there while a store is open: connections, and what is known of the store. */
export class ServerStore implements RedisStore {
  /** Unlike any other instance's, also in other processes. */
  readonly connectionId: string = randomBytes(9).toString('base64url');
  readonly topology: RedisTopology;
  readonly notifier: RedisNotifier;
  readonly isOnePlace: boolean;
  /** In a cluster: which queues the sweeper is to see to. */
  readonly dueQueues: DueQueues;
  readonly #settings: RedisSettings;
  readonly #connection: Connection;
  readonly #listener: Listener;
  readonly #topologyBase: string;
  #salt = 0;
  #servers: readonly ServerFacts[] = [];
  #calls = 0;
  #state: 'new' | 'open' | 'closed' = 'new';
  #stopChecks: (() => void) | null = null;
  #closed: Promise<void> | null = null;

  constructor(settings: RedisSettings) {
    const { prefix } = settings;
    this.#settings = settings;
    this.#connection = new Connection(settings);
    this.isOnePlace = !this.#connection.isCluster;
    this.#topologyBase = `${prefix}:{topology}:`;
    const channel = `${prefix}:topology`;
    this.topology = new RedisTopology({
      run: (name, args) => this.#run(name, [this.#topologyBase], '', args),
      channel,
      onPlaces: (queueNumber) => this.notifier.placesKnown(queueNumber),
    });
    this.dueQueues = new DueQueues({
      store: this,
      run: (name, args) => this.#run(name, [this.#topologyBase], '', args),
    });
    this.#listener = new Listener(this.#connection.client, () => this.#lookAgain());
    void this.#listener.add(channel, (payload) => this.topology.receive(payload));
    this.notifier = new RedisNotifier({
      listener: this.#listener,
      placesOf: (queueNumber) => this.topology.knownPlaces(queueNumber),
      channelOf: (place) => `${prefix}:news:${place}`,
      ask: (place) => this.run('follow', [place], []),
    });
  }

  get salt(): number {
    return this.#salt;
  }

  get client(): RedisClient {
    return this.#connection.client;
  }

  /** What the servers said when the store was opened. */
  get servers(): readonly ServerFacts[] {
    return this.#servers;
  }

  async open(): Promise<void> {
    try {
      await this.#connection.open();
      this.#servers = await examineServers(this.#connection);
      const { salt } = await openFacts(this.#connection, `${this.#topologyBase}facts`);
      this.#salt = salt;
      this.#state = 'open';
      await this.#listener.open();
      await this.topology.reload();
      this.#stopChecks = every(CHECK_MS, () => void this.#checkRevision());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#stopChecks?.();
    await this.#listener.close();
    await this.#connection.close();
  }

  /** The time of messages: the server's, or a test's. Milliseconds since 1970. */
  async now(): Promise<number> {
    const { clock } = this.#settings;
    if (clock !== null) return clock.now();
    const [seconds, micros] = await this.#connection.send((client) => client.time(), {
      repeatable: true,
    });
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  /** The numbers of all queues that are known; of one that is spread, those of its places. */
  async queueNumbers(): Promise<readonly number[]> {
    return [...this.topology.places()];
  }

  /**
   * What an answer said of a queue.
   * @param news bits: 1 something can be taken, 2 there is room
   * @param dueAt in a cluster, when it is due for the sweeper; 0: not
   */
  tell(queueNumber: number, news: number, dueAt: number): void {
    if (dueAt > 0) this.dueQueues.note(queueNumber, dueAt);
    const queue = this.topology.queueOfPlace(queueNumber);
    if ((news & READY) !== 0) this.notifier.tell(queue, 'ready');
    if ((news & ROOM) !== 0) this.notifier.tell(queue, 'room');
  }

  run(
    name: ScriptName,
    queues: readonly number[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    const bases = queues.map((number) => `${this.#settings.prefix}:{q${number}}:`);
    return this.#run(name, bases, queues.join(' '), args);
  }

  async #run(
    name: ScriptName,
    bases: readonly string[],
    numbers: string,
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    if (this.#state !== 'open') throw new ClosedError('The Redis store');
    const { prefix, clock, waitReplicas, callTimeout } = this.#settings;
    const chosen = script(name);
    let callId = '';
    if (chosen.isRemembered) {
      this.#calls += 1;
      callId = `${this.connectionId}${this.#calls}`;
    }
    const place = this.isOnePlace ? '1' : '';
    const keys = this.isOnePlace ? bases : [...bases, `${bases[0]!}x`];
    const words = [clock?.now() ?? '', `${prefix}:`, place, this.#salt, numbers, callId, ...args];
    const waitFor = {
      replicas: chosen.isReplicated ? waitReplicas : 0,
      // Twice, where the server does not know the script yet.
      ms: Math.floor(Math.min(callTimeout / 3, WAIT_MAX_MS)),
    };
    const { answer, replicas } = await this.#connection.send(
      (client) => runScript(client, chosen, keys, words, waitFor),
      // What is not remembered only reads, or does no harm when it is done twice.
      { repeatable: true },
    );
    // What was leased all the same is to be known to its holder.
    const isShort = chosen.isRemembered && replicas < waitFor.replicas;
    if (isShort) throw tooFew(waitFor.replicas, replicas);
    return answer;
  }

  /** Notices were lost, or may have been. */
  #lookAgain(): void {
    if (this.#state !== 'open') return;
    // Whatever fails here is tried again with the next connection, or check.
    void this.topology.reload().catch(() => undefined);
    void this.notifier.lookAgain();
  }

  async #checkRevision(): Promise<void> {
    const known = this.topology.revision;
    try {
      const revision = await this.#connection.send(
        (client) => client.hget(`${this.#topologyBase}facts`, 'revision'),
        { repeatable: true },
      );
      // Other than before the question was asked, and other than now: not just on its way.
      const told = Number(revision ?? 0);
      if (told !== known && told !== this.topology.revision) await this.topology.reload();
    } catch {
      // The next check comes.
    }
  }
}

function tooFew(wanted: number, had: number): StorageError {
  return new StorageError(
    `${had} of the ${wanted} replicas that waitReplicas asks for confirmed the change in time. ` +
      'It is made at the primary, and would be lost with it. Bring the replicas back, or lower waitReplicas.',
    { code: 'STORAGE_REPLICAS', retriable: true },
  );
}
