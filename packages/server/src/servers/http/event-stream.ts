import type { FastifyReply } from 'fastify';
import { type EventMap, type EventName, MessageQueueError } from 'wherry';
import { whenOver } from './client-gone.ts';
import type { Call } from './route.ts';

const HEARTBEAT_MS = 15_000;
const SECOND_MS = 1_000;
/** For the last words to a reader that is cut. */
const FAREWELL_MS = 2_000;

export interface EventStreamOptions {
  readonly types: readonly EventName[];
  /** Null: all that the caller may read. */
  readonly queues: ReadonlySet<string> | null;
}

type AnyEvent = EventMap[EventName];

/** Tells one client what happens, as server-sent events (HTML, section 9.2). */
export class EventStream {
  readonly #call: Call;
  readonly #reply: FastifyReply;
  readonly #options: EventStreamOptions;
  readonly #stops: (() => void)[] = [];
  #sent = 0;
  #inThisSecond = 0;
  #skipped = 0;
  #isOver = false;

  constructor(call: Call, options: EventStreamOptions) {
    this.#call = call;
    this.#reply = call.reply;
    this.#options = options;
  }

  start(): void {
    const { mq, services, broker, identity } = this.#call;
    const { raw } = this.#reply;
    this.#reply.hijack();
    raw.writeHead(200, {
      ...(this.#reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    raw.write('retry: 1000\n\n');
    for (const type of this.#options.types) {
      const listener = (event: AnyEvent): void => this.#tell(type, event);
      mq.events.on(type, listener);
      this.#stops.push(() => mq.events.off(type, listener));
    }
    const heartbeat = setInterval(() => raw.write(': \n\n'), HEARTBEAT_MS);
    const second = setInterval(() => this.#nextSecond(), SECOND_MS);
    const close = (): void => this.#end('closing', 'The broker is closing.');
    services.closing.addEventListener('abort', close);
    this.#stops.push(
      () => clearInterval(heartbeat),
      () => clearInterval(second),
      () => services.closing.removeEventListener('abort', close),
      broker.access.whenRevoked(identity, () => {
        this.#end('revoked', 'The permissions have changed.');
      }),
    );
    whenOver(this.#reply, () => this.#stop());
    raw.on('error', () => this.#stop());
  }

  #tell(type: EventName, event: AnyEvent): void {
    const { queue = null } = event as { queue?: string };
    const { queues } = this.#options;
    if (queues !== null && (queue === null || !queues.has(queue))) return;
    // What belongs to no queue is for those who may read all of them.
    if (!this.#call.allows('read', queue ?? '*')) return;
    // What is beyond is counted, not sent.
    if (this.#inThisSecond >= this.#call.services.limits.eventsPerSecond) {
      this.#skipped++;
      return;
    }
    this.#inThisSecond++;
    this.#write(type, toldOf(event));
  }

  #nextSecond(): void {
    this.#inThisSecond = 0;
    if (this.#skipped === 0) return;
    this.#write('skipped', { count: this.#skipped });
    this.#skipped = 0;
  }

  #write(type: string, data: object): void {
    if (this.#isOver) return;
    const { raw } = this.#reply;
    raw.write(`id: ${++this.#sent}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    if (raw.writableLength <= this.#call.services.limits.unreadBytes) return;
    this.#end('cut', 'The events were read too slowly. Ask for fewer queues or types.');
  }

  #end(type: string, detail: string): void {
    if (this.#isOver) return;
    this.#stop();
    const { raw } = this.#reply;
    raw.end(`event: ${type}\ndata: ${JSON.stringify({ detail })}\n\n`);
    const timer = setTimeout(() => raw.destroy(), FAREWELL_MS);
    raw.once('close', () => clearTimeout(timer));
  }

  #stop(): void {
    this.#isOver = true;
    for (const stop of this.#stops.splice(0)) stop();
  }
}

/** Of an error, what a client may know. */
function toldOf(event: AnyEvent): object {
  if (!('error' in event) || typeof event.error === 'string') return event;
  const { error } = event;
  const isOurs = error instanceof MessageQueueError;
  return {
    ...event,
    error: isOurs ? error.message : 'An internal error',
    code: isOurs ? error.code : 'INTERNAL',
  };
}
