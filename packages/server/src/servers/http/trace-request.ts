import {
  type Attributes,
  SpanKind,
  SpanStatusCode,
  context,
  propagation,
  trace,
} from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemOf } from '../../protocols/http/problem.ts';

const tracer = trace.getTracer('wherry-server');

/**
 * Runs a handler within a span, by the semantic conventions for HTTP servers, as a part of the trace
 * that the request's headers name. Where the process makes such spans by itself there is one already.
 */
export async function traceRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  handle: () => unknown,
): Promise<unknown> {
  const active = context.active();
  if (trace.getSpan(active) !== undefined) return handle();
  const parent = propagation.extract(active, request.headers);
  const { method, url, routeOptions } = request;
  const route = routeOptions.url ?? 'none';
  const attributes: Attributes = {
    'http.request.method': method,
    'http.route': route,
    'url.path': url.split('?', 1)[0],
    'url.scheme': request.protocol,
  };
  const span = tracer.startSpan(
    `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes },
    parent,
  );
  try {
    const result = await context.with(trace.setSpan(parent, span), handle);
    span.setAttribute('http.response.status_code', reply.statusCode);
    return result;
  } catch (error) {
    const { problem } = problemOf(error, request.id);
    span.setAttribute('http.response.status_code', problem.status);
    span.setAttribute('error.type', problem.code);
    // What the client did wrong is no failure of the server.
    if (problem.status >= 500) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      if (error instanceof Error) span.recordException(error);
    }
    throw error;
  } finally {
    span.end();
  }
}
