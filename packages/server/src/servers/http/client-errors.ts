import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import {
  HeadersTooLargeError,
  MalformedRequestError,
  RequestTimeoutError,
} from '../../protocols/http/errors.ts';
import { problemOf } from '../../protocols/http/problem.ts';
import type { BrokerLimits } from '../../config/config.ts';

/** Answers what is no request, or did not become one in time, and closes the connection. */
export function answerClientErrors(
  limits: BrokerLimits,
): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { problem } = problemOf(meaningOf(error, limits));
    const body = JSON.stringify(problem);
    const head = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
    socket.destroySoon();
  };
}

function meaningOf({ code }: NodeJS.ErrnoException, limits: BrokerLimits): Error {
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadersTooLargeError(limits.headerBytes);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeoutError(limits.headersTimeoutMs);
  return new MalformedRequestError();
}
