import { DeliveryCheck } from '../harness/delivery-check.ts';
import { cpuMsOf } from '../harness/processor-time.ts';
import type { AmqpClient, Numbered, OpenClient, Target } from './client.ts';
import { Control } from './control.ts';
import type { ServerAddress } from './servers.ts';

const STALLED_AFTER_MS = 20_000;

/** What some work came to: messages, milliseconds, and the server's processor time. */
export interface Effort {
  messages: number;
  ms: number;
  cpuMs: number;
}

/** A server in a run, with the connections that the run uses. */
export class Contestant {
  readonly server: ServerAddress;
  readonly control: Control;
  readonly clients: readonly AmqpClient[];

  private constructor(server: ServerAddress, control: Control, clients: readonly AmqpClient[]) {
    this.server = server;
    this.control = control;
    this.clients = clients;
  }

  static async open(
    server: ServerAddress,
    open: OpenClient,
    connections: number,
  ): Promise<Contestant> {
    const control = await Control.open(server);
    const clients: AmqpClient[] = [];
    while (clients.length < connections) clients.push(await open(server.url));
    return new Contestant(server, control, clients);
  }

  /** Publishes over all connections, so many of whose messages are unconfirmed together. */
  async publish(to: Target, messages: Numbered, outstanding: number): Promise<Effort> {
    const share = Math.max(1, Math.floor(outstanding / this.clients.length));
    const parts = divide(messages, this.clients.length);
    return this.measure(messages.count, () =>
      Promise.all(this.clients.map((client, i) => client.publish(to, parts[i]!, share))),
    );
  }

  /**
   * Consumes what was published, over all connections, whose prefetch is `prefetch` together.
   * @throws InvalidRunError when a message did not come, or came twice
   */
  async consume(queue: string, messages: Numbered, prefetch: number): Promise<Effort> {
    const share = Math.max(1, Math.floor(prefetch / this.clients.length));
    return this.measure(messages.count, () =>
      consumeAll(this.clients, () => ({ queue, prefetch: share, messages })),
    );
  }

  async measure(messages: number, work: () => Promise<unknown>): Promise<Effort> {
    const cpuBefore = cpuMsOf(this.server.pid);
    const start = performance.now();
    await work();
    const ms = performance.now() - start;
    return { messages, ms, cpuMs: cpuMsOf(this.server.pid) - cpuBefore };
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await this.control.close();
  }
}

export interface Consuming {
  readonly queue: string;
  readonly prefetch: number;
  /** Those that the queue has, or will have. Clients of one queue share them. */
  readonly messages: Numbered;
  /** The queue has others behind them, which stay. */
  readonly hasOthers?: boolean;
}

/**
 * Consumes with several clients until all messages of their queues have come.
 * @throws InvalidRunError when a message did not come, or came twice
 */
export async function consumeAll(
  clients: readonly AmqpClient[],
  what: (index: number) => Consuming,
): Promise<void> {
  const checks = new Map<string, DeliveryCheck>();
  let done = (): void => {};
  const finished = new Promise<void>((resolve) => (done = resolve));
  const begun = clients.map((client, i) => {
    const { queue, prefetch, messages, hasOthers = false } = what(i);
    const end = messages.first + messages.count;
    const check = checks.get(queue) ?? new DeliveryCheck(messages.first, messages.count);
    checks.set(queue, check);
    return client.consume(queue, prefetch, (number) => {
      if (hasOthers && number >= end) return false;
      check.mark(number);
      if (check.isComplete && [...checks.values()].every((one) => one.isComplete)) done();
      return true;
    });
  });
  const consumptions = await Promise.all(begun);
  await untilStalled(finished, () => [...checks.values()].reduce((sum, one) => sum + one.count, 0));
  for (const check of checks.values()) check.verify();
  await Promise.all(consumptions.map((consumption) => consumption.end()));
  for (const check of checks.values()) check.verify();
}

/** Waits for the work as long as it gets on; a check then says what is missing. */
export async function untilStalled(work: Promise<unknown>, progress: () => number): Promise<void> {
  let last = -1;
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<void>((resolve) => {
    timer = setInterval(() => {
      const now = progress();
      if (now === last) resolve();
      last = now;
    }, STALLED_AFTER_MS);
  });
  await Promise.race([work, stalled]);
  clearInterval(timer);
}

/** @returns as equal shares as there can be, in order */
function divide({ first, count, bytes }: Numbered, parts: number): Numbered[] {
  return Array.from({ length: parts }, (_, i) => {
    const from = Math.floor((count * i) / parts);
    return { first: first + from, count: Math.floor((count * (i + 1)) / parts) - from, bytes };
  });
}
