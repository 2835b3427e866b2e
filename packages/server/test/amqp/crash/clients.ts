import { setTimeout as sleep } from 'node:timers/promises';
import { type AmqpConnectionManager, connect } from 'amqp-connection-manager';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { Ledger } from './ledger.ts';

export const QUEUE = 'orders';
const PREFETCH = 20;
/** So many are published before the publisher waits for their confirms. */
const BURST = 10;
/** After so many acknowledgements a consumer makes sure of them. */
const ACKNOWLEDGEMENTS = 10;
const HANDLE_MS = 2;
const PAUSE_MS = 50;

export interface ClientOptions {
  /** Of all brokers: a client goes to the next one when its own is gone. */
  readonly urls: readonly string[];
  readonly ledger: Ledger;
}

/** A client that connects again for as long as it is open, and makes what it needs each time. */
function open(
  { urls }: ClientOptions,
  first: number,
  setup: (channel: ConfirmChannel) => Promise<void>,
): AmqpConnectionManager {
  const turned = [...urls.slice(first % urls.length), ...urls.slice(0, first % urls.length)];
  const manager = connect(turned, { reconnectTimeInSeconds: 0.05 });
  const channel = manager.createChannel({
    setup: async (opened: ConfirmChannel) => {
      opened.on('error', () => {});
      await opened.assertQueue(QUEUE, { durable: true });
      await setup(opened);
    },
  });
  // A broker that dies meanwhile: it is done anew at the next.
  channel.on('error', () => {});
  return manager;
}

/** Publishes until it is told to stop. What is not confirmed when the broker dies is in doubt. */
export async function publish(
  options: ClientOptions,
  at: number,
  stop: AbortSignal,
): Promise<void> {
  const { ledger } = options;
  let channel: ConfirmChannel | null = null;
  const manager = open(options, at, async (opened) => {
    channel = opened;
    opened.once('close', () => (channel = channel === opened ? null : channel));
  });
  manager.on('disconnect', () => (channel = null));
  try {
    while (!stop.aborted) {
      const present = channel as ConfirmChannel | null;
      if (present !== null) await burst(present, ledger);
      await sleep(PAUSE_MS);
    }
  } finally {
    await manager.close();
  }
}

async function burst(channel: ConfirmChannel, ledger: Ledger): Promise<void> {
  const answers = Array.from({ length: BURST }, async () => {
    const number = ledger.newMessage();
    await new Promise<void>((resolve) => {
      const answered = (error: Error | null): void => {
        if (error === null) ledger.confirm(number);
        resolve();
      };
      try {
        const body = Buffer.from(String(number));
        channel.sendToQueue(QUEUE, body, { persistent: true }, answered);
      } catch {
        // The channel has closed: it was not even sent.
        resolve();
      }
    });
  });
  await Promise.all(answers);
}

/** Consumes until it is told to stop. */
export async function consume(
  options: ClientOptions,
  at: number,
  stop: AbortSignal,
): Promise<void> {
  const manager = open(options, at, (channel) => consumeOn(channel, options.ledger));
  try {
    await new Promise<void>((resolve) => {
      if (stop.aborted) resolve();
      else stop.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await manager.close();
  }
}

async function consumeOn(channel: ConfirmChannel, ledger: Ledger): Promise<void> {
  let acknowledged: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const makeSure = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const numbers = acknowledged;
    acknowledged = [];
    channel.checkQueue(QUEUE).then(
      () => ledger.acknowledge(numbers),
      // Nobody knows what became of them.
      () => {},
    );
  };
  const handle = async (message: ConsumeMessage): Promise<void> => {
    const number = Number(message.content.toString());
    ledger.deliver(number, message.fields.redelivered);
    await sleep(HANDLE_MS);
    try {
      channel.ack(message);
    } catch {
      // The channel has closed: the message comes again.
      return;
    }
    acknowledged.push(number);
    if (acknowledged.length >= ACKNOWLEDGEMENTS) makeSure();
    else timer ??= setTimeout(makeSure, 10 * HANDLE_MS);
  };
  await channel.prefetch(PREFETCH);
  await channel.consume(QUEUE, (message) => {
    if (message !== null) void handle(message);
  });
}
