import type { Command } from 'commander';
import type { QueueInfo } from '../../index.ts';
import { UsageError } from '../errors.ts';
import { addExamples } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { printable } from '../table.ts';
import { formatBytes, formatDuration, formatTime, plural } from '../units.ts';
import {
  addSettingsOptions,
  describeSettings,
  settingsFrom,
  type SettingsOptions,
} from './queue-settings.ts';

export function registerQueue(program: Command, line: CommandLine): void {
  const queue = program.command('queue').description('create, inspect, change and delete queues');
  registerCreate(queue, line);
  registerList(queue, line);
  registerInfo(queue, line);
  registerUpdate(queue, line);
  registerDelete(queue, line);
  registerPurge(queue, line);
  registerPause(queue, line);
}

interface CreateOptions extends SettingsOptions {
  readonly paused?: true;
  readonly notDurable?: true;
}

function registerCreate(queue: Command, line: CommandLine): void {
  const create = queue
    .command('create')
    .description('create a queue; the store too, where there is none')
    .argument('<name>', 'the name of the queue');
  addSettingsOptions(create)
    .option('--paused', 'hand nothing out until the queue is resumed')
    .option(
      '--not-durable',
      'hold its messages in memory only: faster, and they end with the process that opened the store',
    );
  addExamples(create, {
    'A queue with the default settings': 'wherry queue create orders',
    'At most 10,000 messages; five tries, a minute apart':
      'wherry queue create orders --max-size 10000 --max-retries 4 --backoff fixed --backoff-delay 1m',
    'Messages that nobody took for an hour go to another queue':
      'wherry queue create alerts --message-ttl 1h --dead-letter-queue missed',
  });
  line.handle<CreateOptions>(create, async (invocation, options, [name = '']) =>
    withStore(invocation, { create: true }, async (mq) => {
      const isNew = !mq.listQueues().some((existing) => existing.name === name);
      await mq.createQueue({
        name,
        ...settingsFrom(options),
        ...(options.paused && { paused: true }),
        ...(options.notDurable && { durable: false }),
      });
      const text = isNew
        ? `Created queue '${name}'.`
        : `Queue '${name}' exists already, with these settings.`;
      await invocation.output.result(text, { name, created: isNew });
    }),
  );
}

function registerList(queue: Command, line: CommandLine): void {
  const list = queue.command('list').description('list the queues with their counts');
  addExamples(list, {
    'A table of all queues': 'wherry queue list',
    'The names of the queues that hold messages':
      "wherry queue list --json | jq -r '.[] | select(.messageCount > 0).name'",
  });
  line.handle(list, async (invocation) =>
    withStore(invocation, { create: false }, async (mq) => {
      await invocation.output.list<QueueInfo>(
        await mq.listQueueInfo(),
        {
          NAME: (info) => info.name,
          READY: (info) => info.ready,
          SCHEDULED: (info) => info.scheduled,
          LEASED: (info) => info.leased,
          SIZE: (info) => formatBytes(info.bytes),
          OLDEST: (info) => formatDuration(info.oldestAge),
          STATE: (info) => (info.settings.paused ? 'paused' : 'open'),
        },
        'There are no queues. Create one with: wherry queue create NAME',
      );
    }),
  );
}

function registerInfo(queue: Command, line: CommandLine): void {
  const info = queue
    .command('info')
    .description("show a queue's counts and settings")
    .argument('<name>', 'the name of the queue');
  addExamples(info, {
    'Everything about a queue': 'wherry queue info orders',
    'How many messages wait': 'wherry queue info orders --json | jq .ready',
  });
  line.handle(info, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      await showInfo(invocation, await mq.getQueueInfo(name));
    }),
  );
}

async function showInfo({ output }: Invocation, info: QueueInfo): Promise<void> {
  const facts = {
    name: printable(info.name),
    state: info.settings.paused ? 'paused' : 'open',
    created: formatTime(info.createdAt),
    ready: info.ready.toLocaleString('en-US'),
    scheduled: info.scheduled.toLocaleString('en-US'),
    leased: info.leased.toLocaleString('en-US'),
    size: formatBytes(info.bytes),
    oldest: formatDuration(info.oldestAge),
    ...describeSettings(info.settings),
  };
  const lines = Object.entries(facts).map(
    ([label, value]) => `${output.style(output.stdout, 'dim', label.padEnd(20))} ${value}`,
  );
  await output.result(lines.join('\n'), info);
}

function registerUpdate(queue: Command, line: CommandLine): void {
  const update = queue
    .command('update')
    .description("change a queue's settings; they rule what is sent from then on")
    .argument('<name>', 'the name of the queue');
  addSettingsOptions(update);
  addExamples(update, {
    'More tries, and a longer lease':
      'wherry queue update orders --max-retries 10 --lease-duration 5m',
    'No bound any more': 'wherry queue update orders --max-size none',
  });
  line.handle<SettingsOptions>(update, async (invocation, options, [name = '']) => {
    const changes = settingsFrom(options);
    if (Object.keys(changes).length === 0)
      throw new UsageError('Give the settings to change as options.');
    await withStore(invocation, { create: false }, async (mq) => {
      await mq.updateQueue(name, changes);
      await showInfo(invocation, await mq.getQueueInfo(name));
    });
  });
}

function registerDelete(queue: Command, line: CommandLine): void {
  const remove = queue
    .command('delete')
    .description('delete an empty queue, or any queue by force')
    .argument('<name>', 'the name of the queue')
    .option('--force', 'delete its messages with it');
  addExamples(remove, {
    'Delete an empty queue': 'wherry queue delete orders',
    'Delete a queue and what it holds': 'wherry queue delete orders --force',
  });
  line.handle<{ force?: true }>(remove, async (invocation, options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      const messages = await mq.deleteQueue(name, { force: options.force ?? false });
      const text = `Deleted queue '${name}' and ${plural(messages, 'message')}.`;
      await invocation.output.result(text, { name, deleted: true, messages });
    }),
  );
}

function registerPurge(queue: Command, line: CommandLine): void {
  const purge = queue
    .command('purge')
    .description('delete the waiting messages of a queue; leased ones stay')
    .argument('<name>', 'the name of the queue');
  addExamples(purge, { 'Empty a queue': 'wherry queue purge orders' });
  line.handle(purge, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      const messages = await mq.purgeQueue(name);
      const text = `Deleted ${plural(messages, 'message')} of queue '${name}'.`;
      await invocation.output.result(text, { name, messages });
    }),
  );
}

function registerPause(queue: Command, line: CommandLine): void {
  const pause = queue
    .command('pause')
    .description('hand nothing out any more; sends go on')
    .argument('<name>', 'the name of the queue');
  addExamples(pause, { 'Hold a queue back': 'wherry queue pause orders' });
  line.handle(pause, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      await mq.pauseQueue(name);
      await invocation.output.result(`Paused queue '${name}'.`, { name, paused: true });
    }),
  );
  const resume = queue
    .command('resume')
    .description('hand messages out again')
    .argument('<name>', 'the name of the queue');
  addExamples(resume, { 'Let a queue go on': 'wherry queue resume orders' });
  line.handle(resume, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      await mq.resumeQueue(name);
      await invocation.output.result(`Resumed queue '${name}'.`, { name, paused: false });
    }),
  );
}
