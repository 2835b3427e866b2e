import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import {
  RequestTimeoutError,
  TooLargeError,
  UnsupportedMediaTypeError,
} from '../../protocols/http/errors.ts';
import { parseJson } from '../../protocols/http/json.ts';
import type { BrokerLimits } from '../../config/config.ts';
import type { Services } from './services.ts';

/** How a route takes bodies that are not JSON. */
export type RawBody = 'bytes' | 'stream';

/** Of a body that the route checks. */
export const JSON_TYPE: RegExp = /^application\/(?:[\w.+-]+\+)?json(?:\s*;.*)?$/i;

/** Of routes that anybody may call: the longest name and password, escaped. */
const PUBLIC_BYTES_MAX = 8 * 1024;

/** Takes the framework's body parsers away: they hold to no limits but one of length. */
export function parseNoBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async () => {
    throw new UnsupportedMediaTypeError('No body is taken here. Send none.');
  });
}

/** Replaces the framework's body parsers by ours, which hold to the limits. */
export function parseBodies(app: FastifyInstance, services: Services, raw?: RawBody): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, async (request: FastifyRequest, body: IncomingMessage) => {
    return parseJson(await readBody(request, body, services));
  });
  if (raw === 'bytes') {
    app.addContentTypeParser('*', async (request: FastifyRequest, body: IncomingMessage) =>
      readBody(request, body, services),
    );
  }
  if (raw === undefined) {
    app.addContentTypeParser('*', async ({ headers }: FastifyRequest) => {
      const type = headers['content-type'] ?? '';
      throw new UnsupportedMediaTypeError(`The body is of type '${type}'. Send application/json.`);
    });
  }
  if (raw === 'stream') {
    app.addContentTypeParser('*', async (_request: FastifyRequest, body: IncomingMessage) => body);
  }
}

/**
 * Reads a body whole.
 * @throws TooLargeError, RequestTimeoutError, OverloadedError
 */
function readBody(
  request: FastifyRequest,
  body: IncomingMessage,
  { limits }: Services,
): Promise<Buffer> {
  const declared = declaredLength(request);
  checkLength(request, declared ?? 0, limits);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      body.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      settle();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      try {
        checkLength(request, length, limits);
        // What was declared is held already, since before the body came.
        if (declared === null) request.heldBytes.hold(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        fail(error as Error);
      }
    };
    const onEnd = (): void => {
      finish(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)));
    };
    const onError = (error: Error): void => fail(error);
    const onClose = (): void => fail(new Error('The client has gone.'));
    const timer = setTimeout(
      () => fail(new RequestTimeoutError(limits.requestTimeoutMs)),
      limits.requestTimeoutMs,
    );
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

/** @returns null when the length is not known beforehand */
export function declaredLength({ headers }: FastifyRequest): number | null {
  if (headers['transfer-encoding'] !== undefined) return null;
  return Number(headers['content-length'] ?? 0);
}

/** Whatever is left of the body will not be read: the connection is of no more use. */
export function closeUnlessRead(request: FastifyRequest, reply: FastifyReply): void {
  if (request.raw.complete || declaredLength(request) === 0) return;
  void reply.header('connection', 'close');
}

/** @throws TooLargeError */
export function checkLength(
  { routeOptions }: FastifyRequest,
  length: number,
  { bodyBytes }: BrokerLimits,
): void {
  if (routeOptions.config.route?.rule.kind === 'public' && length > PUBLIC_BYTES_MAX) {
    throw new TooLargeError('The body', PUBLIC_BYTES_MAX, 'No more is taken from strangers.');
  }
  if (length <= bodyBytes) return;
  const remedy = 'Send less at a time, use the stream of messages, or raise limits.bodyBytes.';
  throw new TooLargeError('The body', bodyBytes, remedy);
}
