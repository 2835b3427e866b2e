import type { WebSocket } from '@fastify/websocket';
import { type Delivery, MessageQueueError, type ReceiptResult } from 'wherry';
import { OverloadedError } from '../../protocols/http/errors.ts';
import { parseJson } from '../../protocols/http/json.ts';
import { parse } from '../../protocols/http/mistakes.ts';
import { problemOf } from '../../protocols/http/problem.ts';
import { type ClientFrame, clientFrameSchema } from '../../protocols/http/push-frames.ts';
import { receivedMessage } from '../../protocols/http/schemas/message.ts';
import { resultsBody } from '../../protocols/http/schemas/send.ts';
import { countFitting, divide } from './fitting.ts';
import type { Call } from './route.ts';

export interface PushOptions {
  readonly consumer: string;
  /** Milliseconds; undefined: the queue's. */
  readonly leaseDuration: number | undefined;
  /** Fires when the caller's rights have changed: from then on nothing of theirs is done. */
  readonly revoked: AbortSignal;
}

/** Messages that are taken in one go. */
const TAKE_MAX = 100;
/** Messages that are given back in one go: a client may have more than one call may name. */
const GIVE_BACK_MAX = 1_000;
/** A longer text is no frame that a client needs to send. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** Frames of a client that are worked on at once; more stay in its connection. */
const FRAMES_MAX = 16;
const WAIT_MS = 60_000;
const PING_MS = 20_000;
/** The leases of a client that broke off end so soon: they are swept as those of one that died. */
const BROKEN_LEASE_MS = 10;
/** Close codes of RFC 6455, section 7.4.1. */
const NORMAL_CLOSURES: ReadonlySet<number> = new Set([1000, 1001, 1005]);
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const INTERNAL = 1011;

/** Hands a queue's messages to one client, as many as it has given credit for. */
export class PushConnection {
  readonly #call: Call<{ readonly queue: string }>;
  readonly #socket: WebSocket;
  readonly #options: PushOptions;
  /** What was handed out and not settled: until when it is held, by this broker's clock. */
  readonly #held = new Map<string, number>();
  readonly #stopped = new AbortController();
  #credit = 0;
  #frames = 0;
  #isAlive = true;
  /** Ends a wait for credit or for the client to read on. */
  #wake = (): void => {};

  constructor(call: Call<{ readonly queue: string }>, socket: WebSocket, options: PushOptions) {
    this.#call = call;
    this.#socket = socket;
    this.#options = options;
  }

  /** Resolves when the connection has ended and what it held was given back. */
  async run(): Promise<void> {
    const { services } = this.#call;
    const { consumer, revoked } = this.#options;
    const held = (): number => this.#held.size;
    const credit = (): number => this.#credit;
    const remove = services.receivers.add(this.#call, { kind: 'push', consumer, held, credit });
    const ended = new Promise<number>((resolve) => {
      this.#socket.once('close', resolve);
      // The other side may let us wait for its close.
      revoked.addEventListener('abort', () => resolve(POLICY_VIOLATION), { once: true });
    });
    const ping = setInterval(() => this.#ping(), PING_MS);
    const leave = (): void => {
      this.#stop();
      this.#socket.close(GOING_AWAY, 'the broker is closing');
    };
    services.closing.addEventListener('abort', leave);
    this.#socket.on('message', (data) => void this.#receive(data as Buffer));
    this.#socket.on('pong', () => (this.#isAlive = true));
    const pushing = this.#push();
    const code = await ended;
    clearInterval(ping);
    services.closing.removeEventListener('abort', leave);
    this.#stop();
    await pushing;
    remove();
    await this.#giveBack(code === POLICY_VIOLATION || NORMAL_CLOSURES.has(code));
  }

  /** Nothing more is taken for the client. */
  #stop(): void {
    this.#stopped.abort();
    this.#wake();
  }

  async #push(): Promise<void> {
    const { mq, params, request, services } = this.#call;
    const { consumer, leaseDuration } = this.#options;
    const { signal } = this.#stopped;
    try {
      while (!signal.aborted && this.#isOpen()) {
        if (this.#credit === 0 || !this.#isRead()) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        const wanted = Math.min(this.#credit, TAKE_MAX);
        const deliveries = await mq.receiveMessage(params.queue, consumer, {
          max: await countFitting(mq, params.queue, wanted, services.limits.bodyBytes),
          waitMs: WAIT_MS,
          signal,
          ...(leaseDuration !== undefined && { leaseDuration }),
        });
        const { fitting, rest } = this.#isOpen()
          ? divide(deliveries, services.limits.bodyBytes)
          : { fitting: [], rest: deliveries };
        for (const delivery of fitting) this.#hand(delivery);
        if (rest.length === 0) continue;
        const unseen = rest.map((delivery) => delivery.receipt);
        await mq.receiptManager.giveBack(unseen, params);
      }
    } catch (error) {
      if (signal.aborted) return;
      request.log.warn({ err: error }, 'a push connection has ended');
      this.#send({ type: 'error', problem: problemOf(error, request.id).problem });
      this.#socket.close(INTERNAL);
    }
  }

  #hand(delivery: Delivery): void {
    const { receipt } = delivery;
    this.#held.set(receipt, delivery.heldUntil);
    this.#credit--;
    this.#call.broker.telemetry.metrics.observeDelivered([delivery]);
    this.#send({ type: 'message', ...receivedMessage(delivery) });
  }

  async #receive(data: Buffer): Promise<void> {
    if (this.#options.revoked.aborted) return;
    let id: ClientFrame['id'];
    if (++this.#frames >= FRAMES_MAX) this.#socket.pause();
    try {
      if (data.length > FRAME_BYTES_MAX)
        throw new OverloadedError('bytes in a frame', FRAME_BYTES_MAX);
      const frame = parse(clientFrameSchema, parseJson(data, 'The frame'), 'frame');
      id = frame.id;
      const results = await this.#settle(frame);
      if (results !== null) this.#send({ type: 'result', id, results: resultsBody(results) });
    } catch (error) {
      this.#send({ type: 'error', id, problem: problemOf(error, this.#call.request.id).problem });
    }
    if (--this.#frames < FRAMES_MAX) this.#socket.resume();
  }

  async #settle(frame: ClientFrame): Promise<ReceiptResult[] | null> {
    const { mq, params } = this.#call;
    const { receiptManager } = mq;
    switch (frame.type) {
      case 'credit':
        this.#addCredit(frame.n);
        return null;
      case 'ack':
        this.#forget(frame.receipts);
        return receiptManager.acknowledge(frame.receipts, params);
      case 'reject':
        this.#forget(frame.items.map((item) => item.receipt));
        return receiptManager.reject(frame.items, params);
      case 'extend': {
        const results = await receiptManager.extend(frame.receipts, frame.leaseDuration, params);
        for (const [i, receipt] of frame.receipts.entries()) {
          // How long is the client's to know: here it only keeps the entry from being forgotten.
          if (results[i]!.ok && this.#held.has(receipt)) this.#held.set(receipt, Infinity);
        }
        return results;
      }
    }
  }

  #addCredit(more: number): void {
    const most = this.#call.services.limits.pushCredit;
    if (this.#held.size + this.#credit + more > most) this.#forgetEnded();
    if (this.#held.size + this.#credit + more > most) {
      throw new OverloadedError('messages asked for and not settled', most);
    }
    this.#credit += more;
    this.#wake();
  }

  /** Leases that ended by time are somebody else's by now. */
  #forgetEnded(): void {
    const now = Date.now();
    for (const [receipt, until] of this.#held) if (until <= now) this.#held.delete(receipt);
  }

  #forget(receipts: readonly string[]): void {
    for (const receipt of receipts) this.#held.delete(receipt);
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame), () => {
      if (this.#isRead()) this.#wake();
    });
  }

  /** Whether neither side has begun to close. */
  #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Nothing is taken while the client has much to read. */
  #isRead(): boolean {
    return this.#socket.bufferedAmount <= this.#call.services.limits.unreadBytes;
  }

  #ping(): void {
    if (!this.#isAlive) this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
  }

  /**
   * A client that said goodbye gives back what it has begun with, uncounted. One that broke off may
   * have died of a message: its leases end as those of a holder that is gone.
   */
  async #giveBack(isNormal: boolean): Promise<void> {
    const { mq, params, request } = this.#call;
    const receipts = [...this.#held.keys()];
    if (receipts.length === 0) return;
    const { receiptManager } = mq;
    try {
      for (let i = 0; i < receipts.length; i += GIVE_BACK_MAX) {
        const some = receipts.slice(i, i + GIVE_BACK_MAX);
        if (isNormal) {
          const items = some.map((receipt) => ({ receipt, requeue: true }));
          await receiptManager.reject(items, params);
        } else await receiptManager.extend(some, BROKEN_LEASE_MS, params);
      }
    } catch (error) {
      // Their leases end by time, then.
      if (error instanceof MessageQueueError) request.log.warn({ err: error }, 'not given back');
      else throw error;
    }
  }
}
