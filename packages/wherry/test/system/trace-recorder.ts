import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** What a test looks at of a span; it can go from one process to another as JSON. */
export interface RecordedSpan {
  readonly name: string;
  /** The number of OpenTelemetry's `SpanKind`. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** The number of OpenTelemetry's `SpanStatusCode`. */
  readonly status: number;
}

/** Keeps the spans of a process in memory. */
export class TraceRecorder {
  readonly provider: BasicTracerProvider;
  readonly #exporter = new InMemorySpanExporter();

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    this.provider = new BasicTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(this.#exporter)],
    });
  }

  /** @returns the spans that ended since the last call, in the order of their ends */
  take(): RecordedSpan[] {
    const spans = this.#exporter.getFinishedSpans().map(recorded);
    this.#exporter.reset();
    return spans;
  }
}

function recorded(span: ReadableSpan): RecordedSpan {
  const { name, kind, parentSpanContext, links, attributes, status } = span;
  const { traceId, spanId } = span.spanContext();
  return {
    name,
    kind,
    traceId,
    spanId,
    parentSpanId: parentSpanContext?.spanId ?? null,
    links: links.map((link) => link.context.spanId),
    attributes,
    status: status.code,
  };
}
