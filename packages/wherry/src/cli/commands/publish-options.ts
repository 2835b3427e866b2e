import type { Command } from 'commander';
import type { Headers, Message } from '../../core/message.ts';
import { UsageError } from '../errors.ts';
import { given } from '../help.ts';
import type { PayloadForm } from '../message-line.ts';
import type { Destination } from '../sender.ts';
import { duration, headers, integer } from '../values.ts';

export interface PublishOptions {
  readonly queue?: string;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly create?: true;
  readonly file?: string;
  readonly stdin?: true;
  readonly envelope?: true;
  readonly text?: true;
  readonly bytes?: true;
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

export function addPublishOptions(command: Command): void {
  command
    .argument('[payload]', 'the payload, as JSON')
    .option('--queue <queue>', 'send to this queue')
    .option('--exchange <exchange>', 'send through this exchange')
    .option('--routing-key <key>', 'what the exchange routes by (default: empty)')
    .option('--create', 'create the queue, and the store, where there is none')
    .option('--file <file>', 'send each line of the file')
    .option('--stdin', 'send each line of standard input')
    .option('--envelope', 'each line is {"payload": …, "headers": …, "priority": …, …}')
    .option('--text', 'the payload, or each line, is text instead of JSON')
    .option('--bytes', 'the payload, or the whole input, is one message of bytes')
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

/** Where the messages come from; `file: null` is standard input. */
type Source =
  | { readonly kind: 'payload'; readonly text: string }
  | { readonly kind: 'whole' | 'lines'; readonly file: string | null };

/** What a call of `publish` is to do, checked. */
export interface PublishPlan {
  readonly source: Source;
  readonly destination: Destination;
  /** How bytes become a payload; 'envelope': each line is a whole message. */
  readonly form: PayloadForm | 'envelope';
  /** What the options say of every message. */
  readonly common: Omit<Message, 'payload'>;
  readonly create: boolean;
}

/** @throws UsageError when options are missing or exclude each other */
export function planPublish(options: PublishOptions, payload: string | undefined): PublishPlan {
  const plan: PublishPlan = {
    source: chosenSource(options, payload),
    destination: chosenDestination(options),
    form: chosenForm(options),
    common: commonProperties(options),
    create: options.create ?? false,
  };
  if (plan.source.kind === 'lines') {
    if (options.deduplicationId === undefined) return plan;
    throw new UsageError(
      '--deduplication-id would let only one of the lines be stored; give each its own with --envelope.',
    );
  }
  if (plan.form === 'envelope') throw new UsageError('--envelope goes with --file or --stdin.');
  return plan;
}

function chosenSource({ file, stdin, bytes }: PublishOptions, payload: string | undefined): Source {
  const count = [payload, file, stdin].filter((source) => source !== undefined).length;
  if (count !== 1) throw new UsageError('Give one of: a payload, --file FILE, --stdin.');
  if (payload !== undefined) return { kind: 'payload', text: payload };
  return { kind: bytes === true ? 'whole' : 'lines', file: file ?? null };
}

function chosenDestination({ queue, exchange, routingKey, create }: PublishOptions): Destination {
  if ((queue === undefined) === (exchange === undefined)) {
    throw new UsageError('Give one of: --queue QUEUE, --exchange EXCHANGE.');
  }
  if (queue === undefined) {
    if (create) throw new UsageError('--create creates a queue: it goes with --queue.');
    return { exchange: exchange ?? '', routingKey: routingKey ?? '' };
  }
  if (routingKey !== undefined) throw new UsageError('--routing-key goes with --exchange.');
  return { queue };
}

function chosenForm({ text, bytes, envelope }: PublishOptions): PublishPlan['form'] {
  const chosen = [text, bytes, envelope].filter(Boolean).length;
  if (chosen > 1) throw new UsageError('--text, --bytes and --envelope exclude each other.');
  if (text) return 'text';
  if (bytes) return 'bytes';
  return envelope ? 'envelope' : 'json';
}

function commonProperties(options: PublishOptions): Omit<Message, 'payload'> {
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
