import { strict as assert } from 'node:assert';
import { after, before } from 'node:test';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import type { AmqpContext, AmqpVhost } from '../../../src/servers/amqp/contracts.ts';
import { openVhost, type RecordedChannel, RecordedConnection } from './recorded-channel.ts';

/** A virtual host that a file's tests share. */
interface OpenedForTests {
  readonly broker: AmqpContext;
  readonly vhost: AmqpVhost;
  readonly connect: (options?: { readonly frameMax?: number }) => RecordedConnection;
}

/** Is there when the first test of the file begins, and ends after the last one. */
export function openForTests(): OpenedForTests {
  let opened: Awaited<ReturnType<typeof openVhost>>;
  before(async () => {
    opened = await openVhost();
  });
  after(() => opened.close());
  return {
    get broker() {
      return opened.broker;
    },
    get vhost() {
      return opened.vhost;
    },
    connect: (options) => new RecordedConnection(opened.broker, opened.vhost, options),
  };
}

let names = 0;

/** A name that no other test has. */
export function nextName(): string {
  return `messages-${++names}`;
}

/** @returns the name of a queue of its own @param args of the declaration */
export async function declared(
  channel: RecordedChannel,
  args: Record<string, unknown> = {},
): Promise<string> {
  const queue = nextName();
  await channel.call('queue.declare', { queue, arguments: tableOf(args) });
  return queue;
}

/** Whether an error is this one. */
export function refusal(code: number, text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof AmqpError && error.code === code && text.test(error.message);
}

/** Reads confirms until every one of the publishes is answered. @returns how each was */
export async function confirmed(channel: RecordedChannel, publishes: number): Promise<string[]> {
  const answers: string[] = [];
  let first = 1;
  while (Object.keys(answers).length < publishes) {
    const { name, args } = await channel.next();
    const { deliveryTag, multiple } = args as { deliveryTag: number; multiple: boolean };
    for (let tag = multiple ? first : deliveryTag; tag <= deliveryTag; tag++) {
      if (!multiple) assert.equal(answers[tag - 1], undefined, `tag ${tag} is answered twice`);
      answers[tag - 1] ??= name;
    }
    if (multiple) first = deliveryTag + 1;
  }
  return answers;
}
