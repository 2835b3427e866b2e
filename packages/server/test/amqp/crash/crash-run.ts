/** Brokers are killed, one after the other, while clients of theirs publish and consume. */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../../wherry/test/servers/free-port.ts';
import { ChildBroker } from '../../brokers/child-broker.ts';
import { consume, publish, QUEUE } from './clients.ts';
import { Ledger } from './ledger.ts';

export interface CrashOptions {
  /** A folder, or the URL of a store that several brokers can have open. */
  readonly store: string;
  readonly brokers: number;
  readonly kills: number;
  /** 0 to 1, again and again. */
  readonly random: () => number;
}

export interface CrashReport {
  readonly kills: number;
  readonly confirmed: number;
  readonly deliveries: number;
  readonly redeliveries: number;
  /** Known to be stored. */
  readonly acknowledged: number;
  readonly lost: readonly number[];
  readonly violations: readonly string[];
}

const PUBLISHERS = 3;
const CONSUMERS = 3;
/** Milliseconds of a broker's work before it is killed. */
const WORK_MS = { least: 150, more: 500 };
/** What a dead broker's consumers had comes back after twice as long. */
const BROKER_TIMEOUT_MS = 2_000;
const DRAIN_MS = 60_000;
/** Clients connect again, on a busy machine. */
const IDLE_MAX_MS = 60_000;

/** @throws Error when a broker does not start again, or works no more, or the queue does not empty */
export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const { store, kills, random } = options;
  const seats = await Promise.all(
    Array.from({ length: options.brokers }, async () => new Seat(store, await freePort())),
  );
  const ledger = new Ledger();
  const stop = new AbortController();
  const stopPublishing = new AbortController();
  const clients: Promise<void>[] = [];
  try {
    await Promise.all(seats.map((seat) => seat.start()));
    const common = { urls: seats.map(({ url }) => url), ledger };
    const publishers = Array.from({ length: PUBLISHERS }, (_, i) =>
      publish(common, i, stopPublishing.signal),
    );
    const consumers = Array.from({ length: CONSUMERS }, (_, i) => consume(common, i, stop.signal));
    clients.push(...publishers, ...consumers);
    for (let killed = 0; killed < kills; killed++) {
      const seat = seats[Math.floor(random() * seats.length)]!;
      await workedWith(ledger);
      await sleep(WORK_MS.least + random() * WORK_MS.more);
      await seat.kill();
      await seat.start();
    }
    stopPublishing.abort();
    await Promise.all(publishers);
    await drained(seats[0]!, ledger);
  } finally {
    stopPublishing.abort();
    stop.abort();
    await Promise.allSettled(clients);
    await Promise.all(seats.map((seat) => seat.stop()));
  }
  const { confirmed, deliveries, redeliveries, acknowledged, violations } = ledger;
  const lost = ledger.lost();
  return { kills, confirmed, deliveries, redeliveries, acknowledged, lost, violations };
}

/** A broker that nobody has worked with shows nothing: resolves when something was confirmed. */
async function workedWith(ledger: Ledger): Promise<void> {
  const before = ledger.confirmed;
  const deadline = performance.now() + IDLE_MAX_MS;
  while (ledger.confirmed === before) {
    if (performance.now() > deadline) {
      throw new Error(`Nothing was confirmed for ${IDLE_MAX_MS} ms, ${before} messages before.`);
    }
    await sleep(10);
  }
}

/** Resolves when nothing is left, neither waiting nor in anybody's hand. */
async function drained(seat: Seat, ledger: Ledger): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  for (;;) {
    const left = await seat.messages();
    if (left === 0) return;
    if (performance.now() > deadline) {
      throw new Error(
        `${left} messages are left after ${DRAIN_MS} ms, ${ledger.lost().length} of them new.`,
      );
    }
    await sleep(50);
  }
}

/** A place where a broker listens: one after the other, each killed in the end. */
class Seat {
  readonly #store: string;
  readonly #amqpPort: number;
  #broker: ChildBroker | null = null;

  constructor(store: string, amqpPort: number) {
    this.#store = store;
    this.#amqpPort = amqpPort;
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.#amqpPort}`;
  }

  async start(): Promise<void> {
    const amqp = { enabled: true, port: this.#amqpPort, brokerTimeout: BROKER_TIMEOUT_MS };
    this.#broker = await ChildBroker.start(this.#store, 0, { amqp });
  }

  async kill(): Promise<void> {
    await this.#broker?.kill();
  }

  async stop(): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
  }

  async messages(): Promise<number> {
    const response = await fetch(`${this.#broker!.url}/api/v1/queues/${QUEUE}`);
    const { messageCount } = (await response.json()) as { messageCount: number };
    return messageCount;
  }
}
