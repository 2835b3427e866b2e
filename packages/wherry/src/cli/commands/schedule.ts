import { type Command, Option } from 'commander';
import type { CatchUp, MessageQueueSystem, Schedule, ScheduleConfig } from '../../index.ts';
import { UsageError } from '../errors.ts';
import { addExamples, given } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { parsePayload, payloadValue } from '../message-line.ts';
import { withStore } from '../store.ts';
import { exactDuration, formatTime } from '../units.ts';
import { duration, integer, moment } from '../values.ts';
import {
  type DestinationOptions,
  type MessageOptions,
  addDestinationOptions,
  addMessageOptions,
  chosenDestination,
  messageFields,
} from './message-options.ts';

const CATCH_UPS: readonly CatchUp[] = ['none', 'latest', 'all'];
/** Next ticks shown, where no number is given. */
const TICKS_SHOWN = 5;
const TICKS_MAX = 1_000;

export function registerSchedule(program: Command, line: CommandLine): void {
  const schedule = program
    .command('schedule')
    .description('send messages at fixed times: while a process has the store open');
  registerAdd(schedule, line);
  registerList(schedule, line);
  registerNext(schedule, line);
  registerSwitch(schedule, line, 'pause', 'send nothing for a schedule until it is resumed');
  registerSwitch(schedule, line, 'resume', 'go on with a paused schedule, from its next tick on');
  registerRemove(schedule, line);
}

interface AddOptions extends MessageOptions, DestinationOptions {
  readonly cron?: string;
  readonly timezone?: string;
  readonly every?: number;
  readonly text?: true;
  readonly catchUp?: CatchUp;
  readonly startAt?: Date;
  readonly endAt?: Date;
  readonly limit?: number;
}

function registerAdd(schedule: Command, line: CommandLine): void {
  const add = schedule
    .command('add')
    .description('make a schedule, or change the one of this name')
    .argument('<name>', 'the name of the schedule')
    .argument('<payload>', 'what it sends, as JSON')
    .option('--cron <pattern>', 'five fields, or six with seconds in front')
    .option('--timezone <name>', 'whose clock --cron means (default: UTC)')
    .option('--every <duration>', 'from 1s on, instead of --cron', duration);
  addDestinationOptions(add);
  add
    .option('--text', 'the payload is text instead of JSON')
    .addOption(new Option('--catch-up <which>', 'what to send of missed ticks').choices(CATCH_UPS))
    .option('--start-at <time>', 'the first moment that may be a tick', moment)
    .option('--end-at <time>', 'the last moment that may be a tick', moment)
    .option('--limit <n>', 'most messages in all', integer(1));
  addMessageOptions(add);
  addExamples(add, {
    'At half past two, Berlin time, every day':
      `wherry schedule add nightly '{"job": "report"}' --cron '30 2 * * *' ` +
      '--timezone Europe/Berlin --queue jobs',
    'Every five minutes, through an exchange':
      'wherry schedule add poll ping --text --every 5m --exchange events --routing-key app.poll',
  });
  line.handle<AddOptions>(add, async (invocation, options, [name = '', payload = '']) => {
    const config = configOf(options, payload);
    return withStore(invocation, { create: false }, async (mq) => {
      const before = mq.listSchedules().find((other) => other.name === name);
      const made = await mq.upsertSchedule(name, config);
      const [next] = await mq.nextTicks(name);
      const done = before === undefined ? 'Created' : 'Updated';
      const when = next === undefined ? 'No tick is to come.' : `Next: ${formatTime(next)}.`;
      const document = { ...recordOf(made), next, created: before === undefined };
      await invocation.output.result(`${done} schedule '${name}'. ${when}`, document);
    });
  });
}

/** @throws UsageError, ValidationError */
function configOf(options: AddOptions, payload: string): ScheduleConfig {
  const { cron, timezone, every, text, catchUp, startAt, endAt, limit } = options;
  if ((cron === undefined) === (every === undefined)) {
    throw new UsageError('Give one of: --cron PATTERN, --every DURATION.');
  }
  const form = text === true ? 'text' : 'json';
  return {
    ...chosenDestination(options),
    ...given({ cron, timezone, every, catchUp, startAt, endAt, limit }),
    message: { payload: parsePayload(Buffer.from(payload), form), ...messageFields(options) },
  };
}

function registerList(schedule: Command, line: CommandLine): void {
  const list = schedule.command('list').description('list the schedules');
  addExamples(list, { 'A table of all schedules': 'wherry schedule list' });
  line.handle(list, async (invocation) =>
    withStore(invocation, { create: false }, async (mq) => {
      const rows = await Promise.all(mq.listSchedules().map((one) => rowOf(mq, one)));
      await invocation.output.list(
        rows,
        {
          NAME: (row) => row.name,
          WHEN: whenOf,
          TO: (row) => row.queue ?? `${row.exchange} ${row.routingKey}`.trim(),
          SENT: (row) => row.sent,
          LAST: (row) => formatTime(row.lastTick),
          NEXT: (row) => (row.paused ? 'paused' : formatTime(row.next)),
        },
        'There are no schedules. Make one with: wherry schedule add NAME PAYLOAD --every 5m --queue QUEUE',
      );
    }),
  );
}

function registerNext(schedule: Command, line: CommandLine): void {
  const next = schedule
    .command('next')
    .description('show when a schedule is due next')
    .argument('<name>', 'the name of the schedule')
    .option('--count <n>', 'how many ticks', integer(1, TICKS_MAX), TICKS_SHOWN);
  addExamples(next, { 'The next ten times': 'wherry schedule next nightly --count 10' });
  line.handle<{ readonly count: number }>(next, async (invocation, { count }, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      const ticks = await mq.nextTicks(name, count);
      const none = mq.getSchedule(name).paused ? 'It is paused.' : 'No tick is to come.';
      const text = ticks.length === 0 ? none : ticks.map(formatTime).join('\n');
      await invocation.output.result(text, ticks);
    }),
  );
}

function registerSwitch(
  schedule: Command,
  line: CommandLine,
  verb: 'pause' | 'resume',
  description: string,
): void {
  const command = schedule
    .command(verb)
    .description(description)
    .argument('<name>', 'the name of the schedule');
  const what = verb === 'pause' ? 'Send nothing for now' : 'Go on';
  addExamples(command, { [what]: `wherry schedule ${verb} nightly` });
  line.handle(command, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      const { paused } = await mq[`${verb}Schedule`](name);
      const text = `${paused ? 'Paused' : 'Resumed'} schedule '${name}'.`;
      await invocation.output.result(text, { name, paused });
    }),
  );
}

function registerRemove(schedule: Command, line: CommandLine): void {
  const remove = schedule
    .command('remove')
    .description('remove a schedule; what it has sent stays')
    .argument('<name>', 'the name of the schedule');
  addExamples(remove, { 'Remove a schedule': 'wherry schedule remove nightly' });
  line.handle(remove, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      await mq.removeSchedule(name);
      await invocation.output.result(`Removed schedule '${name}'.`, { name, removed: true });
    }),
  );
}

type Row = ReturnType<typeof recordOf> & { readonly next: Date | null };

async function rowOf(mq: MessageQueueSystem, schedule: Schedule): Promise<Row> {
  const [next = null] = await mq.nextTicks(schedule.name);
  return { ...recordOf(schedule), next };
}

/** A schedule as JSON: bytes become base64 text. */
function recordOf(schedule: Schedule): Schedule {
  const { message } = schedule;
  return { ...schedule, message: { ...message, payload: payloadValue(message.payload) } };
}

function whenOf({ cron, timezone, every }: Schedule): string {
  return cron === null ? `every ${exactDuration(every!)}` : `${cron} ${timezone}`;
}
