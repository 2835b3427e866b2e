import {
  type BindConfig,
  type BrokerPort,
  type Exchange,
  type MessageQueueSystem,
  QueueExistsError,
  type TopologyChange,
} from 'wherry';
import type { Table } from '../../../protocols/amqp/table.ts';
import type { DefinitionLimits } from '../../../vhosts/definition-limits.ts';
import { bindingArguments } from './binding-arguments.ts';
import { requireEqual, requireEqualArguments } from './equivalence.ts';
import {
  alternateExchangeOf,
  comparedExchangeArguments,
  routingTypeOf,
} from './exchange-arguments.ts';
import { exchangeAttributes, type ExchangeTraits, exchangeTraits } from './exchange-traits.ts';
import { amqpError, isNotFound, notFound, preconditionFailed, resourceText } from './refuse.ts';

/** What an exchange.declare asks for. */
export interface ExchangeDeclaration extends Omit<ExchangeTraits, 'isDelayed'> {
  readonly name: string;
  /** Is called before the exchange is made, and throws what forbids that. */
  readonly authorize?: () => void;
  /** Every virtual host has it: it is made whatever the limit. */
  readonly isPredeclared?: true;
}

/** What a binding is to AMQP: with any part other, it is another one. */
export interface BindingRequest {
  readonly source: string;
  readonly destination: { readonly kind: 'queue' | 'exchange'; readonly name: string };
  readonly routingKey: string;
  readonly arguments: Table;
}

export interface ExchangeRegistryParts {
  readonly vhost: string;
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly limits: DefinitionLimits;
  /** Is told what went wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** An exchange that goes and comes as fast as it is declared is somebody's mistake. */
const DECLARE_TRIES = 20;

/** The exchanges and bindings of a virtual host, by AMQP's rules of when they go. */
export class ExchangeRegistry {
  readonly #parts: ExchangeRegistryParts;
  /** Those with auto-delete that have or had a binding: without one they go. */
  readonly #wereBound = new Set<string>();
  /** How many bindings from an exchange are on their way. */
  readonly #binding = new Map<string, number>();
  readonly #deleting = new Map<string, Promise<void>>();
  readonly #unwatch: () => void;
  #isSweepDue = false;

  constructor(parts: ExchangeRegistryParts) {
    this.#parts = parts;
    this.#unwatch = parts.port.watch((change) => this.#follow(change));
    for (const { exchange } of parts.port.bindings()) this.#bound(exchange);
  }

  /**
   * Makes an exchange, or finds the one that is there.
   * @throws AmqpError 406 when it is another, or wrong
   */
  async declare(declaration: ExchangeDeclaration): Promise<void> {
    const { limits, mq, port, vhost } = this.#parts;
    const { name, type, internal, arguments: table } = declaration;
    const what = resourceText('exchange', name, vhost);
    for (let tries = 0; tries < DECLARE_TRIES; tries++) {
      await this.#deleting.get(name);
      const present = port.findExchange(name);
      if (present !== undefined) return requireEqualExchange(declaration, present, what);
      declaration.authorize?.();
      const alternateExchange = alternateExchangeOf(table, what);
      try {
        if (declaration.isPredeclared !== true) limits.take('exchanges');
        await mq.createExchange({
          name,
          type: routingTypeOf(type, table),
          internal,
          // Core cannot have the default exchange for one: what matches nothing goes nowhere, then.
          alternateExchange: alternateExchange === '' ? null : alternateExchange,
          attributes: exchangeAttributes(declaration),
        });
      } catch (error) {
        // Another client was faster: its exchange is held against this declaration.
        if (!(error instanceof QueueExistsError)) throw this.#amqpError(error, name);
      }
    }
    throw preconditionFailed(`${what} keeps being deleted`);
  }

  /** @throws AmqpError 404 */
  check(name: string): Exchange {
    const exchange = this.#find(name);
    if (exchange === undefined) throw notFound('exchange', name, this.#parts.vhost);
    return exchange;
  }

  /** Deletes an exchange, which need not be there. @throws AmqpError 406 when it is in use and must not be */
  async delete(name: string, { ifUnused }: { readonly ifUnused: boolean }): Promise<void> {
    const { port, vhost } = this.#parts;
    if (this.#find(name) !== undefined) {
      if (ifUnused && port.bindings({ exchange: name }).length > 0) {
        throw preconditionFailed(`${resourceText('exchange', name, vhost)} in use`);
      }
      await this.#delete(name);
    } else await this.#deleting.get(name);
    await this.settled();
  }

  /** @throws AmqpError 404, 406 */
  async bind(request: BindingRequest): Promise<void> {
    const { source, destination } = request;
    const { type } = this.check(source);
    if (destination.kind === 'exchange') this.check(destination.name);
    const config = bindConfig(request, bindingArguments(type, request.arguments));
    this.#binding.set(source, (this.#binding.get(source) ?? 0) + 1);
    try {
      this.#parts.limits.takeBinding(config);
      await this.#parts.mq.bind(config);
    } catch (error) {
      throw this.#amqpError(error, source);
    } finally {
      const others = this.#binding.get(source)! - 1;
      if (others > 0) this.#binding.set(source, others);
      else this.#binding.delete(source);
    }
  }

  /** Undoes a binding, which need not be there. */
  async unbind(request: BindingRequest): Promise<void> {
    const exchange = this.#find(request.source);
    if (exchange === undefined) return;
    try {
      const parts = bindingArguments(exchange.type, request.arguments);
      await this.#parts.mq.unbind(bindConfig(request, parts));
    } catch (error) {
      throw this.#amqpError(error, request.source);
    }
    await this.settled();
  }

  /** @returns when the exchanges that have lost their last binding are gone. Never rejects. */
  async settled(): Promise<void> {
    this.#isSweepDue = false;
    for (;;) {
      const unbound = [...this.#wereBound].filter((name) => this.#isUnbound(name));
      if (unbound.length === 0) break;
      await Promise.all(unbound.map((name) => this.#discard(name)));
    }
    await Promise.all(this.#deleting.values());
  }

  close(): void {
    this.#unwatch();
  }

  #find(name: string): Exchange | undefined {
    return this.#deleting.has(name) ? undefined : this.#parts.port.findExchange(name);
  }

  #isUnbound(name: string): boolean {
    if (this.#binding.has(name) || this.#deleting.has(name)) return false;
    return this.#parts.port.bindings({ exchange: name }).length === 0;
  }

  #delete(name: string): Promise<void> {
    this.#wereBound.delete(name);
    const deleted = this.#parts.mq.deleteExchange(name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    // Who waits for it to be gone does not care why it is not.
    const gone = deleted.catch(() => {}).finally(() => this.#deleting.delete(name));
    this.#deleting.set(name, gone);
    return deleted;
  }

  /** Deletes an exchange that nobody asked to delete. */
  async #discard(name: string): Promise<void> {
    try {
      await this.#delete(name);
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  #bound(name: string): void {
    const exchange = this.#parts.port.findExchange(name);
    if (exchange !== undefined && exchangeTraits(exchange).autoDelete) this.#wereBound.add(name);
  }

  #follow(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    if (kind === 'exchange' && change.type === 'removed') this.#wereBound.delete(name);
    // A queue that goes takes its bindings with it, of which nobody tells.
    if (kind !== 'binding' && kind !== 'queue') return;
    if (change.type === 'put') {
      if (kind === 'binding') this.#bound((change.entry.value as { exchange: string }).exchange);
    } else if (!this.#isSweepDue && this.#wereBound.size > 0) {
      this.#isSweepDue = true;
      setImmediate(() => {
        if (this.#isSweepDue) void this.settled();
      });
    }
  }

  #amqpError(error: unknown, name: string): unknown {
    return amqpError(error, { kind: 'exchange', name, vhost: this.#parts.vhost });
  }
}

function requireEqualExchange(
  declared: ExchangeDeclaration,
  exchange: Exchange,
  what: string,
): void {
  const traits = exchangeTraits(exchange);
  requireEqual('type', declared.type, traits.type, what);
  requireEqual('durable', declared.durable, traits.durable, what);
  requireEqual('auto_delete', declared.autoDelete, traits.autoDelete, what);
  requireEqual('internal', declared.internal, traits.internal, what);
  const keys = comparedExchangeArguments(traits.type);
  requireEqualArguments(keys, declared.arguments, traits.arguments, what);
}

function bindConfig(
  { source, destination, routingKey }: BindingRequest,
  parts: ReturnType<typeof bindingArguments>,
): BindConfig {
  const { kind, name } = destination;
  const to = kind === 'queue' ? { queue: name } : { destinationExchange: name };
  return { exchange: source, ...to, routingKey, ...parts };
}
