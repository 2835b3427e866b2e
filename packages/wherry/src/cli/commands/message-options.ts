import type { Command } from 'commander';
import type { Headers, Message } from '../../core/message.ts';
import { UsageError } from '../errors.ts';
import { given } from '../help.ts';
import type { Destination } from '../sender.ts';
import { duration, headers, integer } from '../values.ts';

/** What the options of a command say of a message beside its payload. */
export interface MessageOptions {
  readonly header?: Headers;
  readonly priority?: number;
  readonly ttl?: number;
  readonly delay?: number;
  readonly group?: string;
  readonly deduplicationId?: string;
  readonly contentType?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly maxRetries?: number;
}

export function addMessageOptions(command: Command): void {
  command
    .option(
      '--header <key=value>',
      'a header, repeatable; key:=5 for a number, true or false',
      headers,
    )
    .option('--priority <n>', '0 to 255; higher is handed out first', integer(0, 255))
    .option('--ttl <duration>', 'how long the message may wait', duration)
    .option('--delay <duration>', 'how long it is held back first', duration)
    .option('--group <id>', 'messages of one group are handled one after the other')
    .option('--deduplication-id <id>', 'sent twice, the message is stored once')
    .option('--content-type <type>', 'what the payload is, such as application/json')
    .option('--correlation-id <id>', 'ties the message to a request')
    .option('--reply-to <queue>', 'where an answer should go')
    .option('--max-retries <n>', "overrides the queue's", integer(0));
}

export function messageFields(options: MessageOptions): Omit<Message, 'payload'> {
  return given({
    headers: options.header,
    priority: options.priority,
    ttl: options.ttl,
    delay: options.delay,
    groupId: options.group,
    deduplicationId: options.deduplicationId,
    contentType: options.contentType,
    correlationId: options.correlationId,
    replyTo: options.replyTo,
    maxRetries: options.maxRetries,
  });
}

/** Where messages go. */
export interface DestinationOptions {
  readonly queue?: string;
  readonly exchange?: string;
  readonly routingKey?: string;
}

export function addDestinationOptions(command: Command): void {
  command
    .option('--queue <queue>', 'send to this queue')
    .option('--exchange <exchange>', 'send through this exchange')
    .option('--routing-key <key>', 'what the exchange routes by (default: empty)');
}

/** @throws UsageError */
export function chosenDestination(options: DestinationOptions): Destination {
  const { queue, exchange, routingKey } = options;
  if ((queue === undefined) === (exchange === undefined)) {
    throw new UsageError('Give one of: --queue QUEUE, --exchange EXCHANGE.');
  }
  if (queue === undefined) return { exchange: exchange!, routingKey: routingKey ?? '' };
  if (routingKey !== undefined) throw new UsageError('--routing-key goes with --exchange.');
  return { queue };
}
