import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { FRAME, type Frame } from '../../../protocols/amqp/frames.ts';
import {
  decodeMethod,
  hasContent,
  type Method,
  type MethodArguments,
  methodIds,
  type MethodName,
} from '../../../protocols/amqp/methods.ts';
import type { ContentOrder } from './content-order.ts';
import type { ChannelEnd, ChannelInfo } from '../contracts.ts';

/** What a channel's slot asks of its connection. */
export interface SlotOwner {
  send<Name extends MethodName>(
    channel: number,
    name: Name,
    args: Partial<MethodArguments[Name]>,
  ): void;
  /** The client has so much to read that nothing more is to be answered: `goOn` comes. */
  readonly isClogged: boolean;
  /** Counts what waits for what came before it on its channel. */
  waiting(frames: number, bytes: number): void;
  /** A publish has begun. */
  publishing(): void;
  /** The number is free again. @param left what came for it behind that */
  closed(channel: number, left: readonly Frame[]): void;
  /** The connection cannot go on. */
  failed(error: unknown): void;
}

export interface SlotParts {
  readonly number: number;
  readonly end: ChannelEnd;
  readonly order: ContentOrder;
  readonly owner: SlotOwner;
}

/** Content comes only behind this one: whatever else has content goes to clients. */
const PUBLISH = 'basic.publish';
/** What waits is worked on, so many frames in a turn of the event loop: others wait too. */
const TURN_FRAMES = 100;
/** What arguments hold is kept as long as what they declare. */
export const METHOD_BYTES_MAX: number = 64 * 1024;
const CONNECTION_CLASS = methodIds('connection.open').classId;
const PUBLISH_CLASS = methodIds(PUBLISH).classId;
const ACK = 'basic.ack';
/** Class and method, as a method frame begins. */
const ACK_ID = methodIds(ACK).classId * 0x10000 + methodIds(ACK).methodId;
/** They are followed by the delivery tag and an octet of bits. */
const ACK_BYTES = 13;
/** The high half of a tag that is 2^53 or more. */
const TAG_HIGH_MAX = 2 ** 21;

/**
 * A channel as its connection has it: what has come for it is worked on in order, each frame when
 * the one before is done, and it is closed in good order by either side.
 */
export class ChannelSlot {
  readonly #parts: SlotParts;
  readonly #waiting: Frame[] = [];
  #isBusy = false;
  #inTurn = 0;
  #ending: Promise<void> | null = null;
  /** We have closed it, and wait until the client knows; 'ended': nothing is of interest. */
  #state: 'open' | 'closing' | 'ended' = 'open';
  /** Of the method, or the content, that is being worked on. */
  #current: MethodName = PUBLISH;

  constructor(parts: SlotParts) {
    this.#parts = parts;
  }

  describe(): ChannelInfo {
    return this.#parts.end.describe();
  }

  receive(frame: Frame): void {
    // What waits is being worked on when it calls in here: nothing may overtake it.
    if (this.#isBusy || this.#waiting.length > 0) {
      this.#waiting.push(frame);
      this.#parts.owner.waiting(1, frame.payload.length);
      return;
    }
    this.#handle(frame);
  }

  /** Closes it, and tells the client why. */
  fail(error: AmqpError): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    const { number, order, owner } = this.#parts;
    order.reset();
    owner.send(number, 'channel.close', {
      replyCode: error.code,
      replyText: error.message,
      ...(error.method ?? { classId: 0, methodId: 0 }),
    });
    void this.#endChannel();
  }

  /** Its connection has ended. */
  async end(): Promise<void> {
    this.#state = 'ended';
    this.#forget();
    await this.#endChannel();
  }

  /** Once, whoever asks for it first. */
  #endChannel(): Promise<void> {
    this.#ending ??= this.#parts.end.close();
    return this.#ending;
  }

  #handle(frame: Frame): void {
    if (this.#state === 'ended') return;
    try {
      const pending = this.#process(frame);
      if (pending instanceof Promise) this.#waitFor(pending);
    } catch (error) {
      this.#failed(error);
    }
  }

  #waitFor(pending: Promise<void>): void {
    this.#isBusy = true;
    const current = this.#current;
    pending.then(this.#proceed, (error: unknown) => {
      this.#current = current;
      this.#failed(error);
      this.#proceed();
    });
  }

  readonly #proceed = (): void => {
    this.#isBusy = false;
    this.goOn();
  };

  /** Works on what waits, until something of it takes its time. */
  goOn(): void {
    const { owner } = this.#parts;
    while (!this.#isBusy && this.#waiting.length > 0 && !owner.isClogged) {
      if (++this.#inTurn > TURN_FRAMES) {
        this.#inTurn = 0;
        this.#isBusy = true;
        setImmediate(this.#proceed);
        return;
      }
      const frame = this.#waiting.shift()!;
      this.#handle(frame);
      owner.waiting(-1, -frame.payload.length);
    }
  }

  /** The user has other rights now. */
  rightsChanged(): void {
    const error = this.#state === 'open' ? this.#parts.end.refusal?.() : null;
    if (error) this.fail(error);
  }

  #failed(error: unknown): void {
    if (this.#state !== 'open') return;
    const told =
      error instanceof AmqpError && error.method === undefined
        ? withMethod(error, this.#current)
        : error;
    if (told instanceof AmqpError && told.scope === 'channel') this.fail(told);
    else this.#parts.owner.failed(told);
  }

  #process({ type, payload }: Frame): void | Promise<void> {
    const { end, order } = this.#parts;
    if (type === FRAME.method) {
      if (this.#acknowledged(payload)) return undefined;
      const method = decodeMethod(payload);
      this.#current = method.name;
      if (payload.length > METHOD_BYTES_MAX && this.#state === 'open') throw tooLong(payload);
      return this.#method(method);
    }
    if (this.#state !== 'open') return undefined;
    this.#current = PUBLISH;
    if (type === FRAME.header) {
      order.header(payload);
      // It may have been one body too many for the connection.
      return this.#state === 'open' ? end.header(payload) : undefined;
    }
    order.body(payload);
    return end.body(payload);
  }

  /** The one method that comes with every delivery. @returns false: it is another */
  #acknowledged(payload: Buffer): boolean {
    const { end, order } = this.#parts;
    if (payload.length !== ACK_BYTES || payload.readUInt32BE(0) !== ACK_ID) return false;
    const high = payload.readUInt32BE(4);
    if (end.acknowledge === undefined || this.#state !== 'open' || high >= TAG_HIGH_MAX) {
      return false;
    }
    this.#current = ACK;
    order.method(null);
    end.acknowledge(high * 2 ** 32 + payload.readUInt32BE(8), (payload[12]! & 1) !== 0);
    return true;
  }

  #method(method: Method): void | Promise<void> {
    const { number, end, order, owner } = this.#parts;
    const { name } = method;
    if (name === 'channel.close-ok') {
      // Late, when the client has closed it at the same time.
      if (this.#state === 'closing') this.#finish();
      return undefined;
    }
    if (name === 'channel.close') return this.#closedByClient();
    if (this.#state === 'closing') return undefined;
    this.#current = name;
    if (name === PUBLISH) {
      order.method(PUBLISH_CLASS);
      owner.publishing();
      return end.method(method);
    }
    order.method(null);
    switch (name) {
      case 'channel.open':
        throw new AmqpError('channel-error', "second 'channel.open' seen");
      case 'channel.flow': {
        const { active } = method.args;
        end.flow?.(active);
        owner.send(number, 'channel.flow-ok', { active });
        return undefined;
      }
      case 'channel.flow-ok':
        return undefined;
      case 'access.request':
        // It has done nothing since AMQP 0-8; there are clients that ask, and wait.
        owner.send(number, 'access.request-ok', { ticket: 1 });
        return undefined;
      default:
        if (hasContent(name)) {
          throw new AmqpError('command-invalid', `${name} is not for clients to send`);
        }
        if (methodIds(name).classId === CONNECTION_CLASS) {
          throw new AmqpError('command-invalid', `${name} belongs on channel 0, not on ${number}`);
        }
        return end.method(method);
    }
  }

  /** It has an answer even when we have closed it, too: ours will have one as well. */
  #closedByClient(): void | Promise<void> {
    const { number, owner } = this.#parts;
    const finish = (): void => {
      owner.send(number, 'channel.close-ok', {});
      this.#finish();
    };
    if (this.#state === 'closing') return finish();
    this.#state = 'ended';
    return this.#endChannel().then(finish);
  }

  #finish(): void {
    this.#state = 'ended';
    this.#parts.owner.closed(this.#parts.number, this.#forget());
  }

  /** @returns what has waited */
  #forget(): Frame[] {
    const left = this.#waiting.splice(0);
    const bytes = left.reduce((sum, { payload }) => sum + payload.length, 0);
    this.#parts.owner.waiting(-left.length, -bytes);
    this.#parts.order.reset();
    return left;
  }
}

function tooLong({ length }: Buffer): AmqpError {
  return new AmqpError(
    'precondition-failed',
    `the method has ${length} bytes; with all its arguments it may have ${METHOD_BYTES_MAX}`,
  );
}

/** The same error, of the method that it came from. */
function withMethod(error: AmqpError, name: MethodName): AmqpError {
  const { reply, explanation, scope } = error;
  return new AmqpError(reply, explanation, { scope, method: methodIds(name), cause: error });
}
