import {
  type AuditedMessage,
  type Delivered,
  type HistoryEvent,
  type HistoryRecord,
  type OpDone,
  type QueueOp,
  type SendInvoked,
  type SettleOp,
  SUPERVISOR,
} from '../history.ts';
import type { QueueRules } from '../checker/model.ts';

/** A queue as most tests want it: it dies after two retries, and keeps nothing that expires. */
export function rulesOf(name: string, more: Partial<QueueRules> = {}): QueueRules {
  return {
    name,
    maxRetries: 2,
    deadLetters: name === 'dead' ? null : 'dead',
    keepsExpired: false,
    messageTtl: null,
    backoff: { delay: 0, factor: 1, maxDelay: 0 },
    maxSize: null,
    dropsOldest: false,
    ...more,
  };
}

const LEASE_MS = 100;

/** Writes a history by hand: what is not said is as it should be, and time goes on by 1 ms. */
export class MadeHistory {
  readonly events: HistoryEvent[] = [];
  #t = 0;
  #process = 0;
  #calls = 0;
  #tokens = 0;
  #open = new Map<string, Delivered>();
  readonly #shared: boolean;

  /** @param shared whether several processes have the store open at the same time */
  constructor(shared = false) {
    this.#shared = shared;
    this.#opened();
  }

  /** Lets time pass. */
  wait(ms: number): this {
    this.#t += ms;
    return this;
  }

  /** Begins a send. @returns its call */
  sending(key: string, fields: Partial<SendInvoked> = {}): number {
    const call = ++this.#calls;
    this.#add({
      op: 'send',
      phase: 'invoke',
      call,
      key,
      producer: 'p',
      seq: call,
      queues: ['q'],
      priority: 0,
      group: null,
      delay: 0,
      ttl: null,
      maxRetries: null,
      deduplicationId: null,
      bodyHash: `hash of ${key}`,
      atomicBatch: null,
      kind: 'json',
      routingKey: null,
      ...fields,
    });
    return call;
  }

  sent(call: number, ...ids: string[]): this {
    return this.#add({ op: 'send', phase: 'ok', call, ids, duplicate: false });
  }

  /** A send that is confirmed; the id is the key, with the queue's name if there are several. */
  send(key: string, fields: Partial<SendInvoked> = {}): this {
    const { queues = ['q'] } = fields;
    const ids = queues.map((queue) => (queues.length === 1 ? key : `${key}@${queue}`));
    return this.sent(this.sending(key, fields), ...ids);
  }

  refuse(key: string, fields: Partial<SendInvoked> = {}): this {
    const call = this.sending(key, fields);
    return this.#add({ op: 'send', phase: 'fail', call, error: 'QUEUE_FULL' });
  }

  /** The key is what comes before an `@`, the id is all of it. */
  deliver(id: string, fields: Partial<Delivered> = {}): this {
    const key = id.split('@')[0]!;
    const delivered: Delivered = {
      op: 'deliver',
      phase: 'ok',
      queue: 'q',
      consumer: `c${this.#tokens}`,
      bound: true,
      batch: this.#tokens,
      id,
      key,
      priority: 0,
      group: null,
      bodyHash: `hash of ${key}`,
      deliveryCount: 1,
      retryCount: 0,
      deaths: [],
      token: ++this.#tokens,
      until: this.#t + LEASE_MS,
      leaseDuration: LEASE_MS,
      ...fields,
    };
    this.#open.set(id, delivered);
    return this.#add(delivered);
  }

  /** Begins to settle the last delivery of a message. @returns the call */
  settling(op: SettleOp, id: string, delay: number | null = null): number {
    const call = ++this.#calls;
    const { token } = this.#open.get(id)!;
    this.#add({ op, phase: 'invoke', call, id, token, delay });
    return call;
  }

  settle(op: SettleOp, id: string, delay: number | null = null): this {
    return this.#add({ op, phase: 'ok', call: this.settling(op, id, delay), count: null });
  }

  ack(id: string): this {
    return this.settle('ack', id);
  }

  refused(op: SettleOp, id: string): this {
    return this.#add({ op, phase: 'fail', call: this.settling(op, id), error: 'LEASE_LOST' });
  }

  act(op: QueueOp, queue: string, count: OpDone['count'] = null): this {
    const call = ++this.#calls;
    this.#add({ op, phase: 'invoke', call, queue });
    return this.#add({ op, phase: 'ok', call, count });
  }

  /** @param queues the ids in each, and what the counts say, if it is something else */
  audit(
    queues: Record<string, readonly (string | AuditedMessage)[]> = {},
    counts: Partial<Record<'ready' | 'scheduled' | 'leased' | 'bytes', number>> = {},
  ): this {
    const audited = Object.entries(queues).map(([name, ids]) => {
      const messages = ids.map((id) => (typeof id === 'string' ? storedMessage(id) : id));
      const bytes = messages.length * 10;
      const queue = { ready: messages.length, scheduled: 0, leased: 0, bytes, ...counts, messages };
      return [name, queue] as const;
    });
    const all = Object.fromEntries(audited);
    return this.#add({ op: 'audit', phase: 'ok', stable: true, queues: all });
  }

  /** The process is killed, and the next one opens the store. */
  kill(): this {
    this.#add({ op: 'death', phase: 'info', signal: 'SIGKILL' });
    this.#process += 1;
    this.#opened();
    return this;
  }

  /** Goes on as another process; one that is not known yet opens the store. */
  as(process: number): this {
    this.#process = process;
    if (!this.events.some((event) => event.process === process)) this.#opened();
    return this;
  }

  /** Something is done to the server, and takes a while. */
  fault(ms: number): this {
    const since = this.#t + 1;
    this.#t += ms;
    this.#t += 1;
    const stamp = { t: this.#t, process: SUPERVISOR };
    this.events.push({ ...stamp, op: 'fault', phase: 'info', name: 'a fault', since });
    return this;
  }

  #opened(): void {
    this.#add({ op: 'open', phase: 'invoke' });
    this.#add({ op: 'open', phase: 'ok', clockOffset: 0, shared: this.#shared });
  }

  #add(record: HistoryRecord): this {
    this.#t += 1;
    this.events.push({ t: this.#t, process: this.#process, ...record });
    return this;
  }
}

export function storedMessage(id: string, more: Partial<AuditedMessage> = {}): AuditedMessage {
  const key = id.split('@')[0]!;
  return { id, key, state: 'ready', parked: false, deaths: [], ...more };
}
