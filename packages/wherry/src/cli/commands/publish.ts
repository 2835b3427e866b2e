import type { Command } from 'commander';
import type { MessageQueueSystem } from '../../index.ts';
import { InterruptedError, UsageError } from '../errors.ts';
import { addExamples } from '../help.ts';
import { openInput } from '../input.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { parsePayload } from '../message-line.ts';
import { type Destination, LINE_BYTES_MAX, sendAll } from '../sender.ts';
import { withStore } from '../store.ts';
import { formatBytes } from '../units.ts';
import { publishLines } from './publish-lines.ts';
import {
  addPublishOptions,
  planPublish,
  type PublishOptions,
  type PublishPlan,
} from './publish-options.ts';

export function registerPublish(program: Command, line: CommandLine): void {
  const publish = program
    .command('publish')
    .description('send one message, or one per line of a file or of standard input');
  addPublishOptions(publish);
  addExamples(publish, {
    'One message; its id is printed': `wherry publish '{"order": 1}' --queue orders --create`,
    'Text, in ten minutes, before others':
      "wherry publish 'call back' --text --queue calls --delay 10m --priority 9",
    'Each line of a file': 'wherry publish --file orders.ndjson --queue orders',
    'From another program, through an exchange':
      "jq -c '.[]' events.json | wherry publish --stdin --exchange events --routing-key app.started",
    'Move messages, headers included, to another store':
      'wherry consume orders --envelope | wherry publish --stdin --envelope --queue orders --store other',
  });
  line.handle<PublishOptions>(publish, async (invocation, options, args) => {
    const plan = planPublish(options, args[0]);
    const { source, create } = plan;
    return withStore(invocation, { create }, async (mq) => {
      await prepareDestination(mq, plan.destination, create);
      if (source.kind === 'lines') return publishLines(invocation, mq, plan, source.file);
      return publishOne(invocation, mq, plan, await readPayload(invocation, plan));
    });
  });
}

/** Fails before the first line is read, not at each line. @throws QueueNotFoundError */
async function prepareDestination(
  mq: MessageQueueSystem,
  destination: Destination,
  create: boolean,
): Promise<void> {
  if (!('queue' in destination)) return;
  const exists = mq.listQueues().some(({ name }) => name === destination.queue);
  if (create && !exists) await mq.createQueue({ name: destination.queue });
  else mq.getQueue(destination.queue);
}

async function readPayload(
  invocation: Invocation,
  { source, form }: PublishPlan,
): Promise<unknown> {
  const payloadForm = form === 'envelope' ? 'json' : form;
  if (source.kind === 'payload') return parsePayload(Buffer.from(source.text), payloadForm);
  const parts: Buffer[] = [];
  let length = 0;
  const { stream } = await openInput(invocation, source.file);
  for await (const part of stream) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length <= LINE_BYTES_MAX) continue;
    throw new UsageError(
      `The input is longer than ${formatBytes(LINE_BYTES_MAX)}: too much for a message.`,
    );
  }
  return parsePayload(Buffer.concat(parts), payloadForm);
}

async function publishOne(
  { output, signal }: Invocation,
  mq: MessageQueueSystem,
  { destination, common }: PublishPlan,
  payload: unknown,
): Promise<void> {
  const [sent] = await sendAll(mq, destination, [{ message: { ...common, payload } }], signal);
  if (sent === undefined) throw new InterruptedError();
  if ('error' in sent) throw sent.error;
  const { id, queues, duplicate } = sent;
  await output.result(id, { id, queues, duplicate });
  if (duplicate) output.note('A duplicate: the message was stored before, under this id.');
}
