import type { AmqpContent, Headers, NewMessage } from 'wherry';
import type { ChannelState } from './channel-state.ts';
import { memoryOf } from '../connection/publish-budget.ts';

/** A message that reaches no queue, as far as this broker knows. */
export interface UnroutedMessage {
  /** Of the confirm; 0: there is none. */
  readonly tag: number;
  readonly exchange: string;
  readonly routingKeys: readonly string[];
  readonly headers: Headers | null;
  readonly message: NewMessage;
  /** What its publisher gets back; null: it is not mandatory. */
  readonly returned: AmqpContent | null;
}

/**
 * Ends a message that waited.
 * @param queues none: it reaches no queue
 * @param error the store could not say whether there is a queue for it
 */
export type Conclude = (
  channel: ChannelState,
  unrouted: UnroutedMessage,
  queues: readonly string[],
  error: unknown,
) => void;

/**
 * Messages of a channel for which there is no queue yet, on a store that other brokers have too: one
 * of them may have answered its declaration already, and the store is slower to tell of it than the
 * client was. They wait until the store was asked; the channel goes on meanwhile.
 */
export class Unrouted {
  readonly #channel: ChannelState;
  readonly #conclude: Conclude;
  readonly #waiting = new Set<UnroutedMessage>();
  #isAsking = false;

  constructor(channel: ChannelState, conclude: Conclude) {
    this.#channel = channel;
    this.#conclude = conclude;
  }

  /** @returns whether it waits; false: the store was asked a moment ago */
  hold(unrouted: UnroutedMessage): boolean {
    const { host, outstanding } = this.#channel;
    if (host.vhost.late.isMissing(placeOf(unrouted))) return false;
    host.hold(memoryOf(unrouted.message));
    outstanding.begin();
    this.#waiting.add(unrouted);
    if (!this.#isAsking) void this.#ask();
    return true;
  }

  async #ask(): Promise<void> {
    const { late, port } = this.#channel.host.vhost;
    this.#isAsking = true;
    // At once, or a message that is published next would overtake those that wait.
    const unwatch = port.watch(() => this.#retry());
    while (this.#waiting.size > 0) {
      const asked = [...this.#waiting];
      let failure: unknown = null;
      try {
        await late.know(() => false);
      } catch (error) {
        failure = error;
      }
      for (const unrouted of asked) {
        if (!this.#waiting.has(unrouted)) continue;
        if (failure === null) late.missed(placeOf(unrouted));
        this.#end(unrouted, [], failure);
      }
    }
    unwatch();
    this.#isAsking = false;
  }

  #retry(): void {
    const { port } = this.#channel.host.vhost;
    for (const unrouted of this.#waiting) {
      const { exchange, routingKeys, headers } = unrouted;
      // The exchange may be what was deleted, and made again for exchanges only.
      if (exchange !== '' && port.findExchange(exchange)?.internal !== false) continue;
      const queues = port.route(exchange, routingKeys, headers);
      if (queues.length > 0) this.#end(unrouted, queues, null);
    }
  }

  #end(unrouted: UnroutedMessage, queues: readonly string[], error: unknown): void {
    this.#waiting.delete(unrouted);
    this.#conclude(this.#channel, unrouted, queues, error);
    this.#channel.host.release(memoryOf(unrouted.message));
    this.#channel.outstanding.end();
  }
}

/** Where it was to go. That headers count too is passed over: it is remembered for a moment only. */
function placeOf({ exchange, routingKeys }: UnroutedMessage): string {
  return [exchange, ...routingKeys].join('\0');
}
