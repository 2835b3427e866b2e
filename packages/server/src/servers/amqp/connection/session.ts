import type { Action, Identity } from '../../../access/identity.ts';
import { isAllowed, mayEnter } from '../../../access/permissions.ts';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { FrameWriter } from '../../../protocols/amqp/frame-writer.ts';
import type { AmqpContext, AmqpVhost, ChannelHost } from '../contracts.ts';
import type { Login } from './login.ts';
import type { Output } from './output.ts';
import type { PublishBudget, Reserver } from './publish-budget.ts';
import type { Reading } from './reading.ts';

export interface SessionParts {
  readonly connectionId: string;
  readonly broker: AmqpContext;
  readonly vhost: AmqpVhost;
  readonly login: Login;
  readonly frameMax: number;
  readonly clientCapabilities: ReadonlySet<string>;
  readonly output: Output;
  readonly reading: Reading;
  readonly budget: PublishBudget;
  readonly fail: (error: AmqpError, channel?: number) => void;
}

/** Bytes of publishes of one connection that are not stored yet, from which on it is not read. */
const HELD_MAX = 16 * 2 ** 20;

/** A connection that has been opened, as its channels see it. */
export class Session implements ChannelHost, Reserver {
  readonly connectionId: string;
  readonly broker: AmqpContext;
  readonly vhost: AmqpVhost;
  readonly frameMax: number;
  readonly clientCapabilities: ReadonlySet<string>;
  readonly writer: FrameWriter;
  readonly fail: SessionParts['fail'];
  bytesInHand = 0;
  transactionBytes = 0;
  readonly consumers: Set<object> = new Set();
  reserved = 0;
  readonly #output: Output;
  readonly #reading: Reading;
  readonly #budget: PublishBudget;
  readonly #closing = new Set<() => void | Promise<void>>();
  #login: Login;
  #held = 0;
  #hasEnded = false;
  #whenStored: (() => void) | null = null;

  constructor(parts: SessionParts) {
    this.connectionId = parts.connectionId;
    this.broker = parts.broker;
    this.vhost = parts.vhost;
    this.frameMax = parts.frameMax;
    this.clientCapabilities = parts.clientCapabilities;
    this.writer = parts.output.writer;
    this.fail = parts.fail;
    this.#output = parts.output;
    this.#reading = parts.reading;
    this.#budget = parts.budget;
    this.#login = parts.login;
  }

  get identity(): Identity {
    return this.#login.identity;
  }

  get user(): string {
    return this.#login.user;
  }

  /**
   * The same user has other rights now, or has shown a newer secret.
   * @returns false when that does not let it into the virtual host any more
   */
  become(login: Login): boolean {
    this.#login = login;
    return mayEnter(login.identity, this.vhost.name);
  }

  flush(): void {
    this.#output.flush();
  }

  get mayDeliver(): boolean {
    return this.#output.mayDeliver;
  }

  /** Whether answers, too, have to wait until the client has read. */
  get isClogged(): boolean {
    return this.#output.isClogged;
  }

  onDrain(listener: () => void): () => void {
    return this.#output.onDrain(listener);
  }

  hold(bytes: number): void {
    this.#held += bytes;
    this.#budget.hold(bytes);
    if (this.#held <= HELD_MAX && !this.#budget.isFull) return;
    this.#reading.pause('publishing');
    if (this.#budget.isFull) this.#budget.whenRoom(this.#readOn);
  }

  release(bytes: number): void {
    this.#held -= bytes;
    this.#budget.release(bytes);
    if (this.#reading.isPausedFor('publishing')) this.#readOn();
    if (this.#held > 0) return;
    this.#whenStored?.();
    this.#whenStored = null;
  }

  reserve(bytes: number): void {
    this.reserved += bytes;
    this.#budget.reserve(this, bytes);
  }

  overdrawn(): void {
    const { inFlightBytes } = this.broker.config.limits;
    const explanation =
      `all connections together have begun more than ${inFlightBytes} bytes of bodies and ` +
      `transactions, and this one most of them: ${this.reserved}; see limits.inFlightBytes`;
    this.fail(new AmqpError('resource-error', explanation));
  }

  /** Resolves when all that was published is stored, or refused. */
  async stored(): Promise<void> {
    if (this.#held === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenStored = resolve;
    });
  }

  allows(action: Action, name: string): boolean {
    return isAllowed(this.identity, this.vhost.name, action, name);
  }

  require(action: Action, name: string, kind: 'queue' | 'exchange'): void {
    if (this.allows(action, name)) return;
    throw new AmqpError(
      'access-refused',
      `access to ${kind} '${name}' in vhost '${this.vhost.name}' refused for user '${this.user}'`,
    );
  }

  onClose(listener: () => void | Promise<void>): () => void {
    if (this.#hasEnded) {
      void Promise.resolve()
        .then(listener)
        .catch(() => {});
      return () => {};
    }
    this.#closing.add(listener);
    return () => this.#closing.delete(listener);
  }

  /** Its channels have closed: what is its own goes. Never rejects. */
  async end(): Promise<void> {
    this.#budget.forget(this, this.#readOn);
    this.#hasEnded = true;
    const listeners = [...this.#closing];
    this.#closing.clear();
    await Promise.allSettled(
      // An async function, so that one that throws does not keep the others from being called.
      listeners.map(async (listener) => listener()),
    );
  }

  readonly #readOn = (): void => {
    if (this.#held > HELD_MAX / 2) return;
    if (this.#budget.isFull) this.#budget.whenRoom(this.#readOn);
    else this.#reading.resume('publishing');
  };
}
