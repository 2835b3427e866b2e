import { type Command, Option } from 'commander';
import type { Envelope, MessageState } from '../../core/message.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { envelopeRecord, payloadValue } from '../message-line.ts';
import { collect, pages } from '../pages.ts';
import { withStore } from '../store.ts';
import { type Cell, shorten } from '../table.ts';
import { formatTime } from '../units.ts';
import { integer } from '../values.ts';

const STATES: readonly MessageState[] = ['ready', 'scheduled', 'leased'];
const PAYLOAD_WIDTH = 60;

interface BrowseOptions {
  readonly state: MessageState;
  readonly limit: number;
}

export function registerBrowse(program: Command, line: CommandLine): void {
  const browse = program
    .command('browse')
    .description('look at the messages of a queue without taking them')
    .argument('<queue>', 'the queue to look at')
    .addOption(
      new Option('--state <state>', 'which messages').choices([...STATES]).default('ready'),
    )
    .option('--limit <n>', 'most messages shown', integer(1), 20);
  addExamples(browse, {
    'The next messages to be handed out': 'wherry browse orders',
    'What waits for its time': 'wherry browse orders --state scheduled --limit 100',
    'Everything, a line of JSON each': 'wherry browse orders --limit 1000000 --json',
  });
  line.handle<BrowseOptions>(browse, async ({ output, ...rest }, { state, limit }, [queue = '']) =>
    withStore({ output, ...rest }, { create: false }, async (mq) => {
      const browsed = pages((page) => mq.browse(queue, { state, ...page }), limit);
      if (output.json) return output.records(browsed, envelopeRecord);
      const messages = await collect(browsed);
      if (messages.length === 0) return output.write(`No ${state} messages.\n`);
      await output.table(messages, { ...COLUMNS, ...STATE_COLUMNS[state], ...PAYLOAD_COLUMN });
    }),
  );
}

type Columns = Readonly<Record<string, (envelope: Envelope) => Cell>>;

const COLUMNS: Columns = {
  ID: (envelope) => envelope.id,
  PRIORITY: (envelope) => envelope.priority,
  STORED: (envelope) => formatTime(envelope.timestamp),
  RETRIES: (envelope) => envelope.retryCount,
};

const STATE_COLUMNS: Readonly<Record<MessageState, Columns>> = {
  ready: {},
  scheduled: { AVAILABLE: (envelope) => formatTime(availableAt(envelope)) },
  leased: {
    'HELD BY': (envelope) => envelope.lease?.consumerId,
    UNTIL: (envelope) => formatTime(envelope.lease?.until),
  },
};

const PAYLOAD_COLUMN: Columns = { PAYLOAD: payloadPreview };

/** A parked message has no time of its own. */
function availableAt({ parked, availableAt: time }: Envelope): number | null {
  return parked === null ? time : null;
}

/** @returns the payload on one line, cut to what a terminal shows */
export function payloadPreview({ message: { payload } }: Envelope): string {
  if (payload instanceof Uint8Array) return `<${payload.length} bytes>`;
  return shorten(JSON.stringify(payloadValue(payload)), PAYLOAD_WIDTH);
}
