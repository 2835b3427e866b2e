import type { Command } from 'commander';
import type { Message } from '../../core/message.ts';
import { UsageError } from '../errors.ts';
import type { PayloadForm } from '../message-line.ts';
import type { Destination } from '../sender.ts';
import {
  type DestinationOptions,
  type MessageOptions,
  addDestinationOptions,
  addMessageOptions,
  chosenDestination,
  messageFields,
} from './message-options.ts';

export interface PublishOptions extends MessageOptions, DestinationOptions {
  readonly create?: true;
  readonly file?: string;
  readonly stdin?: true;
  readonly envelope?: true;
  readonly text?: true;
  readonly bytes?: true;
}

export function addPublishOptions(command: Command): void {
  command.argument('[payload]', 'the payload, as JSON');
  addDestinationOptions(command);
  command
    .option('--create', 'create the queue, and the store, where there is none')
    .option('--file <file>', 'send each line of the file')
    .option('--stdin', 'send each line of standard input')
    .option('--envelope', 'each line is {"payload": …, "headers": …, "priority": …, …}')
    .option('--text', 'the payload, or each line, is text instead of JSON')
    .option('--bytes', 'the payload, or the whole input, is one message of bytes');
  addMessageOptions(command);
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
    common: messageFields(options),
    create: options.create ?? false,
  };
  if (plan.create && options.queue === undefined) {
    throw new UsageError('--create creates a queue: it goes with --queue.');
  }
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

function chosenForm({ text, bytes, envelope }: PublishOptions): PublishPlan['form'] {
  const chosen = [text, bytes, envelope].filter(Boolean).length;
  if (chosen > 1) throw new UsageError('--text, --bytes and --envelope exclude each other.');
  if (text) return 'text';
  if (bytes) return 'bytes';
  return envelope ? 'envelope' : 'json';
}
