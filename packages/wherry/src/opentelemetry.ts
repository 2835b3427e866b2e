import type * as Api from '@opentelemetry/api';
import { MessageQueueError, ValidationError } from './core/errors.ts';
import { checkFields, show } from './core/limits.ts';
import type { Headers, Message } from './core/message.ts';
import type { ProcessDescription, SendDescription, SendOutcome, Tracing } from './core/tracing.ts';

/** Whose spans. */
export interface TelemetryOptions {
  /** OpenTelemetry's `TracerProvider`. Default: the one that is registered in the process. */
  readonly tracerProvider?: { getTracer(name: string): unknown };
}

const NAME = 'wherry';
/** W3C Trace Context: the names of its headers. */
const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';
/** Version, trace id, parent id, flags; a later version may have more. */
const TRACEPARENT_FORMAT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * @param telemetry true: spans go to the provider that is registered in the process
 * @returns undefined when nothing is to be traced
 * @throws ValidationError when it is neither a boolean nor options, or when the package
 *   `@opentelemetry/api` is not installed
 */
export async function openTracing(
  telemetry: boolean | TelemetryOptions | undefined,
): Promise<Tracing | undefined> {
  if (telemetry === undefined || telemetry === false) return undefined;
  if (telemetry !== true && (typeof telemetry !== 'object' || telemetry === null)) {
    throw new ValidationError(`telemetry is ${show(telemetry)}; it must be a boolean or options.`);
  }
  const options = telemetry === true ? {} : telemetry;
  checkFields(options, ['tracerProvider'], 'telemetry');
  const api = await loadApi();
  const provider = (options.tracerProvider ?? api.trace) as Pick<Api.TracerProvider, 'getTracer'>;
  return new OpenTelemetry(api, provider.getTracer(NAME));
}

/** Loaded when it is asked for: it comes with those programs only that trace. */
async function loadApi(): Promise<typeof Api> {
  try {
    return await import('@opentelemetry/api');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ValidationError(
      'telemetry needs the package @opentelemetry/api: npm install @opentelemetry/api',
      { cause: error },
    );
  }
}

/**
 * Spans by the semantic conventions for messaging (OpenTelemetry 1.27 and later), their context in
 * the messages' headers by W3C Trace Context.
 */
class OpenTelemetry implements Tracing {
  readonly #api: typeof Api;
  readonly #tracer: Api.Tracer;

  constructor(api: typeof Api, tracer: Api.Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  async send<Result>(
    about: SendDescription,
    work: (carrier: Headers) => Promise<Result>,
    outcomeOf: (result: Result) => SendOutcome,
  ): Promise<Result> {
    const { context, trace, SpanKind } = this.#api;
    const { destination, messages, routingKey } = about;
    const [first] = messages;
    const active = context.active();
    // A sender that runs in no span of its own may pass on the headers of what it was asked by.
    const asked = messages.length === 1 ? this.#contextIn(first?.headers) : null;
    const parent =
      trace.getSpan(active) === undefined && asked !== null
        ? trace.setSpanContext(active, asked)
        : active;
    const span = this.#tracer.startSpan(
      `send ${destination}`,
      {
        kind: SpanKind.PRODUCER,
        attributes: {
          ...operation('send', 'send', destination),
          ...(messages.length === 1
            ? attributesOf(first)
            : { 'messaging.batch.message_count': messages.length }),
          ...(routingKey === undefined ? {} : { 'wherry.routing_key': routingKey }),
        },
      },
      parent,
    );
    try {
      const result = await context.with(trace.setSpan(parent, span), () => work(carrierOf(span)));
      const { id, refused } = outcomeOf(result);
      if (typeof id === 'string') span.setAttribute('messaging.message.id', id);
      if (refused !== undefined) this.#fail(span, refused);
      return result;
    } catch (error) {
      this.#failWith(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  process(
    { queueName, consumerId, deliveries }: ProcessDescription,
    handle: () => unknown,
  ): unknown {
    const { context, trace, SpanKind } = this.#api;
    const sent = deliveries.map(({ message }) => this.#contextIn(message.headers));
    const known = sent.filter((one) => one !== null);
    const active = context.active();
    const [only] = deliveries.length === 1 ? deliveries : [];
    // A batch has no parent: its messages may be of many traces, which it links to.
    const parent =
      only !== undefined && known[0] !== undefined
        ? trace.setSpanContext(active, known[0])
        : active;
    const span = this.#tracer.startSpan(
      `process ${queueName}`,
      {
        kind: SpanKind.CONSUMER,
        links: known.map((one) => ({ context: one })),
        attributes: {
          ...operation('process', 'process', queueName),
          'messaging.client.id': consumerId,
          ...(only === undefined
            ? { 'messaging.batch.message_count': deliveries.length }
            : {
                'messaging.message.id': only.id,
                'wherry.delivery_count': only.deliveryCount,
                ...attributesOf(only.message),
              }),
        },
      },
      parent,
    );
    let result: unknown;
    try {
      result = context.with(trace.setSpan(parent, span), handle);
    } catch (error) {
      this.#failWith(span, error);
      span.end();
      throw error;
    }
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') {
      span.end();
      return result;
    }
    return (result as PromiseLike<unknown>).then(
      (value) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        this.#failWith(span, error);
        span.end();
        throw error;
      },
    );
  }

  #failWith(span: Api.Span, error: unknown): void {
    if (error instanceof Error) span.recordException(error);
    this.#fail(span, typeOf(error), error instanceof Error ? error.message : String(error));
  }

  #fail(span: Api.Span, type: string, message?: string): void {
    span.setAttribute('error.type', type);
    const code = this.#api.SpanStatusCode.ERROR;
    span.setStatus(message === undefined ? { code } : { code, message });
  }

  /** What the sender wrote there, or null. */
  #contextIn(headers: Headers | undefined): Api.SpanContext | null {
    const parent = headers?.[TRACEPARENT];
    const [, version, traceId, spanId, flags, more] =
      typeof parent === 'string' ? (TRACEPARENT_FORMAT.exec(parent) ?? []) : [];
    if (version === undefined || traceId === undefined || spanId === undefined) return null;
    if (version === 'ff' || (version === '00' && more !== undefined)) return null;
    const found: Api.SpanContext = {
      traceId,
      spanId,
      traceFlags: Number.parseInt(flags!, 16),
      isRemote: true,
    };
    if (!this.#api.isSpanContextValid(found)) return null;
    const state = headers?.[TRACESTATE];
    return typeof state === 'string'
      ? { ...found, traceState: this.#api.createTraceState(state) }
      : found;
  }
}

/** The span's context as headers. */
function carrierOf(span: Api.Span): Headers {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  // What no SDK has made has no id, and nothing to carry.
  if (/^0*$/.test(traceId)) return {};
  const flags = traceFlags.toString(16).padStart(2, '0');
  const state = traceState?.serialize() ?? '';
  return {
    [TRACEPARENT]: `00-${traceId}-${spanId}-${flags}`,
    ...(state === '' ? {} : { [TRACESTATE]: state }),
  };
}

function operation(name: string, type: string, destination: string): Api.Attributes {
  return {
    'messaging.system': NAME,
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.destination.name': destination,
  };
}

function attributesOf(message: Message | undefined): Api.Attributes {
  const { correlationId } = message ?? {};
  return typeof correlationId === 'string'
    ? { 'messaging.message.conversation_id': correlationId }
    : {};
}

function typeOf(error: unknown): string {
  if (error instanceof MessageQueueError) return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
