import { type Command, Option } from 'commander';
import type { Headers } from '../../core/message.ts';
import { bindingKey, parseBinding } from '../../core/routing/exchange.ts';
import type { Binding, BindConfig } from '../../index.ts';
import { BindingNotFoundError, UsageError } from '../errors.ts';
import { addExamples, given } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { withStore } from '../store.ts';
import { headers } from '../values.ts';

export function registerBinding(program: Command, line: CommandLine): void {
  const binding = program
    .command('binding')
    .description('create, list and delete bindings: which messages of an exchange go where');
  registerCreate(binding, line);
  registerList(binding, line);
  registerDelete(binding, line);
}

interface BindingOptions {
  readonly exchange: string;
  readonly queue?: string;
  readonly destinationExchange?: string;
  readonly routingKey?: string;
  readonly header?: Headers;
  readonly match?: 'all' | 'any';
}

function addBindingOptions(command: Command): void {
  command
    .requiredOption('--exchange <exchange>', 'where the messages come from')
    .option('--queue <queue>', 'the queue they go to')
    .option('--destination-exchange <exchange>', 'or the exchange they go to')
    .option('--routing-key <key>', 'the key; at a topic exchange a pattern with * and #')
    .option('--header <key=value>', 'what a headers exchange asks for, repeatable', headers)
    .addOption(new Option('--match <how>', 'all headers, or any of them').choices(['all', 'any']));
}

function configFrom(options: BindingOptions): BindConfig {
  const { exchange, queue, destinationExchange, routingKey, header, match } = options;
  if ((queue === undefined) === (destinationExchange === undefined)) {
    throw new UsageError('Give one of: --queue QUEUE, --destination-exchange EXCHANGE.');
  }
  return { exchange, ...given({ queue, destinationExchange, routingKey, headers: header, match }) };
}

function registerCreate(binding: Command, line: CommandLine): void {
  const create = binding
    .command('create')
    .description('bind a queue, or an exchange, to an exchange');
  addBindingOptions(create);
  addExamples(create, {
    'Orders of any kind':
      'wherry binding create --exchange events --queue orders --routing-key "order.*"',
    'By header':
      'wherry binding create --exchange mail --queue invoices --header type=invoice --header paid:=false --match all',
  });
  line.handle<BindingOptions>(create, async (invocation, options) => {
    const config = configFrom(options);
    await withStore(invocation, { create: false }, async (mq) => {
      await mq.bind(config);
      await invocation.output.result(`Bound ${describeBinding(options)}.`, config);
    });
  });
}

function registerList(binding: Command, line: CommandLine): void {
  const list = binding
    .command('list')
    .description('list the bindings')
    .option('--exchange <exchange>', 'only those of this exchange')
    .option('--queue <queue>', 'only those to this queue');
  addExamples(list, { 'What a queue gets': 'wherry binding list --queue orders' });
  line.handle<{ exchange?: string; queue?: string }>(list, async (invocation, options) =>
    withStore(invocation, { create: false }, async (mq) => {
      const { exchange, queue } = options;
      await invocation.output.list<Binding>(
        mq.listBindings(given({ exchange, queue })).toSorted(byPlace),
        {
          EXCHANGE: (row) => row.exchange,
          'ROUTING KEY': (row) => row.routingKey,
          TO: (row) => `${row.destination.type} ${row.destination.name}`,
          HEADERS: (row) =>
            row.headers === null ? '-' : `${row.match} of ${JSON.stringify(row.headers)}`,
        },
        'There are no bindings. Create one with: wherry binding create --exchange NAME --queue NAME',
      );
    }),
  );
}

function byPlace(a: Binding, b: Binding): number {
  const place = ({ exchange, routingKey, destination }: Binding): string =>
    [exchange, routingKey, destination.type, destination.name].join('\0');
  return place(a) < place(b) ? -1 : 1;
}

function registerDelete(binding: Command, line: CommandLine): void {
  const remove = binding
    .command('delete')
    .description('delete the binding that was created with these options');
  addBindingOptions(remove);
  addExamples(remove, {
    'Take one back':
      'wherry binding delete --exchange events --queue orders --routing-key "order.*"',
  });
  line.handle<BindingOptions>(remove, async (invocation, options) => {
    const config = configFrom(options);
    await withStore(invocation, { create: false }, async (mq) => {
      const key = bindingKey(asBinding(options));
      const exists = mq
        .listBindings({ exchange: options.exchange })
        .some((row) => bindingKey(row) === key);
      if (!exists) throw new BindingNotFoundError(describeBinding(options));
      await mq.unbind(config);
      await invocation.output.result(`Unbound ${describeBinding(options)}.`, {
        ...config,
        deleted: true,
      });
    });
  });
}

function asBinding(options: BindingOptions): Binding {
  const { exchange, queue, destinationExchange, routingKey, header, match } = options;
  const destination =
    queue === undefined
      ? ({ type: 'exchange', name: destinationExchange ?? '' } as const)
      : ({ type: 'queue', name: queue } as const);
  return parseBinding({ exchange, destination, ...given({ routingKey, headers: header, match }) });
}

function describeBinding({
  exchange,
  queue,
  destinationExchange,
  routingKey,
}: BindingOptions): string {
  const to = queue === undefined ? `exchange '${destinationExchange}'` : `queue '${queue}'`;
  const by = routingKey === undefined ? '' : ` by '${routingKey}'`;
  return `${to} to exchange '${exchange}'${by}`;
}
