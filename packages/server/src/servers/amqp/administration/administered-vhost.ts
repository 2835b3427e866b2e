import { type Binding, type BindConfig, type QueueSettingsInput, ValidationError } from 'wherry';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { encodeTable, plainTable, type Table, tableOf } from '../../../protocols/amqp/table.ts';
import type {
  AmqpBinding,
  AmqpConsumer,
  AmqpExchange,
  AmqpMessage,
  AmqpPublish,
  AmqpQueue,
  AmqpVhostSide,
  PlainTable,
} from '../../../protocols/management/amqp-side.ts';
import { type RefusedCode, RefusedError } from '../../../protocols/management/errors.ts';
import { getMessages, type GetOptions, publishMessage } from './administered-messages.ts';
import { METHOD_BYTES_MAX } from '../connection/channel-slot.ts';
import type { AmqpVhost } from '../contracts.ts';
import { requireNotDefault, requireUnreserved } from '../definitions/definition-channel.ts';
import { routingTypeOf } from '../definitions/exchange-arguments.ts';
import { exchangeTraits } from '../definitions/exchange-traits.ts';
import { checkQueueArguments, queueSettingsOf } from '../definitions/queue-arguments.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import {
  accessRefused,
  notFound,
  preconditionFailed,
  resourceText,
} from '../definitions/refuse.ts';
import { unpackTable } from '../definitions/stored-arguments.ts';

/** As whom definitions are changed that no connection has asked for: no exclusive queue is its own. */
const NO_CONNECTION = 'none';

const NO_LOAD = { acknowledges: false, prefetch: 0, unacknowledged: 0 };

/** The settings that parts of a policy rule. */
const RULED: Readonly<Record<string, keyof QueueSettingsInput>> = {
  'dead-letter-exchange': 'deadLetterExchange',
  'dead-letter-routing-key': 'deadLetterRoutingKey',
  'message-ttl': 'messageTtl',
  expires: 'expiresAfterIdle',
  'max-length': 'maxSize',
  'max-length-bytes': 'maxBytes',
  overflow: 'overflow',
};

/** A virtual host as the HTTP server administers it: by the rules that hold for AMQP's clients. */
export class AdministeredVhost implements AmqpVhostSide {
  readonly #vhost: AmqpVhost;
  /** What core has of the bindings that were listed. */
  readonly #listed = new WeakMap<AmqpBinding, Binding>();

  constructor(vhost: AmqpVhost) {
    this.#vhost = vhost;
  }

  queues(): AmqpQueue[] {
    return this.#vhost.port
      .queues()
      .map(describeQueue)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  queue(name: string): AmqpQueue | undefined {
    const found = this.#vhost.port.findQueue(name);
    return found && describeQueue(found);
  }

  exchanges(): AmqpExchange[] {
    return this.#vhost.port
      .exchanges()
      .map(describeExchange)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  exchange(name: string): AmqpExchange | undefined {
    const found = this.#vhost.port.findExchange(name);
    return found && describeExchange(found);
  }

  bindings(): AmqpBinding[] {
    return this.#vhost.port.bindings().map((binding) => {
      const { exchange, destination, routingKey } = binding;
      const shown: AmqpBinding = {
        source: exchange,
        destination: destination.name,
        destinationType: destination.type,
        routingKey,
        arguments: this.#argumentsOf(binding),
      };
      this.#listed.set(shown, binding);
      return shown;
    });
  }

  consumers(): AmqpConsumer[] {
    const { queues, port } = this.#vhost;
    return port.queues().flatMap(({ name: queue }) =>
      queues.consumers(queue).map(({ request, isActive }) => ({
        queue,
        tag: request.tag,
        connectionId: request.connectionId,
        channel: request.channel,
        exclusive: request.exclusive,
        isActive,
        arguments: plainTable(request.arguments),
        ...(request.load?.() ?? NO_LOAD),
      })),
    );
  }

  declareQueue(
    declared: Pick<AmqpQueue, 'name' | 'durable' | 'autoDelete' | 'arguments'>,
    authorize: () => void = () => {},
  ): Promise<boolean> {
    return translated(async () => {
      const { queues, port } = this.#vhost;
      const { name } = declared;
      const isNew = port.findQueue(name) === undefined;
      if (isNew) requireUnreserved('queue', name);
      await queues.declare({
        ...declared,
        arguments: tableIn(declared.arguments),
        exclusive: false,
        connectionId: NO_CONNECTION,
        authorize,
      });
      return isNew;
    });
  }

  deleteQueue(
    name: string,
    options: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<void> {
    return translated(async () => {
      const { queues, exchanges } = this.#vhost;
      await this.#know('queue', name);
      queues.check(name, NO_CONNECTION);
      await queues.delete(name, { ...options, connectionId: NO_CONNECTION });
      await exchanges.settled();
    });
  }

  purgeQueue(name: string): Promise<void> {
    return translated(async () => {
      await this.#know('queue', name);
      await this.#vhost.feeds.surrender(name);
      await this.#vhost.queues.purge(name, NO_CONNECTION);
    });
  }

  applyPolicy(name: string, definition: PlainTable): Promise<void> {
    return translated(async () => {
      const { mq, port, name: vhost } = this.#vhost;
      const queue = port.findQueue(name);
      if (queue === undefined) throw notFound('queue', name, vhost);
      const traits = queueTraits(queue);
      const parts = Object.entries(definition);
      const ruled = tableOf(Object.fromEntries(parts.map(([key, value]) => [`x-${key}`, value])));
      const table: Table = new Map([...traits.arguments, ...ruled]);
      checkQueueArguments(table, traits, resourceText('queue', name, vhost));
      const settings: QueueSettingsInput = queueSettingsOf(table);
      const keys = new Set(parts.flatMap(([key]) => RULED[key] ?? []));
      // What becomes of a message too many goes with the bounds.
      if (keys.has('maxSize') || keys.has('maxBytes')) keys.add('overflow');
      await mq.updateQueue(
        name,
        Object.fromEntries([...keys].map((key) => [key, settings[key]])) as QueueSettingsInput,
      );
    });
  }

  declareExchange(declared: AmqpExchange, authorize: () => void = () => {}): Promise<boolean> {
    return translated(async () => {
      const { exchanges, port } = this.#vhost;
      const { name, type } = declared;
      const table = tableIn(declared.arguments);
      requireNotDefault(name);
      // An unknown type is refused even where the exchange is there.
      routingTypeOf(type, table);
      const isNew = port.findExchange(name) === undefined;
      if (isNew) requireUnreserved('exchange', name);
      await exchanges.declare({ ...declared, arguments: table, authorize });
      return isNew;
    });
  }

  deleteExchange(name: string, options: { readonly ifUnused: boolean }): Promise<void> {
    return translated(async () => {
      const { exchanges, name: vhost } = this.#vhost;
      requireNotDefault(name);
      if (name.startsWith('amq.')) {
        const what = resourceText('exchange', name, vhost);
        throw accessRefused(`deletion of system ${what} not allowed`);
      }
      await this.#know('exchange', name);
      exchanges.check(name);
      await exchanges.delete(name, options);
    });
  }

  bind(binding: AmqpBinding): Promise<void> {
    return translated(async () => {
      const { exchanges, queues } = this.#vhost;
      const { source, destination, destinationType: kind, routingKey } = binding;
      requireNotDefault(source);
      await this.#know('exchange', source);
      await this.#know(kind, destination);
      exchanges.check(source);
      if (kind === 'queue') queues.check(destination, NO_CONNECTION);
      await exchanges.bind({
        source,
        destination: { kind, name: destination },
        routingKey,
        arguments: tableIn(binding.arguments),
      });
    });
  }

  unbind(binding: AmqpBinding): Promise<void> {
    return translated(async () => {
      const { mq, exchanges } = this.#vhost;
      requireNotDefault(binding.source);
      const stored = this.#listed.get(binding);
      if (stored === undefined) return;
      const { destination, ...rest } = stored;
      const { type, name } = destination;
      const to = type === 'queue' ? { queue: name } : { destinationExchange: name };
      await mq.unbind({ ...rest, ...to } as BindConfig);
      await exchanges.settled();
    });
  }

  publish(publish: AmqpPublish): Promise<boolean> {
    return translated(async () => {
      const { exchange, routingKey } = publish;
      if (exchange === '') await this.#know('queue', routingKey);
      else await this.#know('exchange', exchange);
      return publishMessage(this.#vhost, publish);
    });
  }

  get(queue: string, options: GetOptions): Promise<AmqpMessage[]> {
    return translated(async () => {
      await this.#know('queue', queue);
      this.#vhost.queues.check(queue, NO_CONNECTION);
      return getMessages(this.#vhost, queue, options);
    });
  }

  /** Another broker on the store may have made it a moment ago. */
  async #know(kind: 'queue' | 'exchange', name: string): Promise<void> {
    const { late, port } = this.#vhost;
    await late.know(() => {
      const found = kind === 'queue' ? port.findQueue(name) : port.findExchange(name);
      return found !== undefined;
    });
  }

  /** As AMQP's clients declare it, whoever has made the binding. */
  #argumentsOf(binding: Binding): PlainTable {
    if (binding.arguments !== null) return plainTable(unpackTable(binding.arguments));
    const source = this.#vhost.port.findExchange(binding.exchange);
    if (source?.type !== 'headers') return {};
    return { ...binding.headers, 'x-match': binding.match };
  }
}

/** @throws AmqpError 406 where it is longer than a client of AMQP may send it */
function tableIn(plain: PlainTable): Table {
  const table = tableOf(plain);
  const { length } = encodeTable(table);
  if (length <= METHOD_BYTES_MAX) return table;
  throw preconditionFailed(
    `the arguments have ${length} bytes; at most ${METHOD_BYTES_MAX} may be`,
  );
}

function describeQueue(queue: Parameters<typeof queueTraits>[0]): AmqpQueue {
  const {
    arguments: table,
    type,
    durable,
    exclusive,
    autoDelete,
    owner,
    isDeclared,
  } = queueTraits(queue);
  const { name } = queue;
  const args = plainTable(table);
  return { name, type, durable, exclusive, autoDelete, owner, isDeclared, arguments: args };
}

function describeExchange(exchange: Parameters<typeof exchangeTraits>[0]): AmqpExchange {
  const { arguments: table, type, durable, autoDelete, internal } = exchangeTraits(exchange);
  const { name } = exchange;
  return { name, type, durable, autoDelete, internal, arguments: plainTable(table) };
}

/** What AMQP's rules refuse, in errors that any server can tell. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A table or a text that no frame could hold.
    if (error instanceof RangeError) {
      throw new ValidationError(`The arguments or properties: ${error.message}.`, { cause: error });
    }
    if (!(error instanceof AmqpError)) throw error;
    const { reply, explanation } = error;
    const isExchange = explanation.startsWith('no exchange');
    const codes: Readonly<Record<string, RefusedCode>> = {
      'not-found': isExchange ? 'EXCHANGE_NOT_FOUND' : 'QUEUE_NOT_FOUND',
      'access-refused': 'FORBIDDEN',
      'resource-locked': 'RESOURCE_LOCKED',
    };
    throw new RefusedError(codes[reply] ?? 'VALIDATION', explanation, error);
  }
}
