import { type Command, Option } from 'commander';
import type { Exchange, ExchangeType } from '../../index.ts';
import { addExamples, given } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { withStore } from '../store.ts';

const TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic', 'headers'];

export function registerExchange(program: Command, line: CommandLine): void {
  const exchange = program
    .command('exchange')
    .description('create, list and delete exchanges: they route messages to queues');
  registerCreate(exchange, line);
  registerList(exchange, line);
  registerDelete(exchange, line);
}

interface CreateOptions {
  readonly type: ExchangeType;
  readonly alternateExchange?: string;
  readonly internal?: true;
}

function registerCreate(exchange: Command, line: CommandLine): void {
  const create = exchange
    .command('create')
    .description('create an exchange; the store too, where there is none')
    .argument('<name>', 'the name of the exchange')
    .addOption(
      new Option('--type <type>', 'how it chooses among its bindings')
        .choices([...TYPES])
        .makeOptionMandatory(),
    )
    .option('--alternate-exchange <exchange>', 'gets what matches no binding')
    .option('--internal', 'reached from other exchanges only, never published to');
  addExamples(create, {
    'Route by patterns such as order.*': 'wherry exchange create events --type topic',
    'Every queue gets everything': 'wherry exchange create news --type fanout',
  });
  line.handle<CreateOptions>(create, async (invocation, options, [name = '']) =>
    withStore(invocation, { create: true }, async (mq) => {
      const { type, alternateExchange, internal } = options;
      const isNew = !mq.listExchanges().some((existing) => existing.name === name);
      const created = await mq.createExchange({
        name,
        type,
        ...given({ alternateExchange, internal }),
      });
      const text = isNew
        ? `Created ${type} exchange '${name}'.`
        : `Exchange '${name}' exists already, with these settings.`;
      await invocation.output.result(text, { ...created, created: isNew });
    }),
  );
}

function registerList(exchange: Command, line: CommandLine): void {
  const list = exchange.command('list').description('list the exchanges');
  addExamples(list, { 'A table of all exchanges': 'wherry exchange list' });
  line.handle(list, async (invocation) =>
    withStore(invocation, { create: false }, async (mq) => {
      await invocation.output.list<Exchange>(
        mq.listExchanges().toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        {
          NAME: (row) => row.name,
          TYPE: (row) => row.type,
          ALTERNATE: (row) => row.alternateExchange,
          INTERNAL: (row) => (row.internal ? 'yes' : 'no'),
        },
        'There are no exchanges. Create one with: wherry exchange create NAME --type topic',
      );
    }),
  );
}

function registerDelete(exchange: Command, line: CommandLine): void {
  const remove = exchange
    .command('delete')
    .description('delete an exchange with its bindings')
    .argument('<name>', 'the name of the exchange');
  addExamples(remove, { 'Delete an exchange': 'wherry exchange delete events' });
  line.handle(remove, async (invocation, _options, [name = '']) =>
    withStore(invocation, { create: false }, async (mq) => {
      await mq.deleteExchange(name);
      await invocation.output.result(`Deleted exchange '${name}'.`, { name, deleted: true });
    }),
  );
}
