import type { FastifyReply } from 'fastify';

/** Whether nobody is there any more to get the response. */
export function isGone({ raw, request }: FastifyReply): boolean {
  // The response itself has no connection while others go before it.
  return raw.destroyed || request.raw.socket.destroyed;
}

/**
 * Calls back, once, when a response has been sent or its connection has closed. A response that
 * waited behind others when the connection closed tells nobody by itself.
 * @returns how to stop listening
 */
export function whenOver(reply: FastifyReply, listener: () => void): () => void {
  if (isGone(reply)) {
    listener();
    return () => {};
  }
  const { raw, request } = reply;
  const { socket } = request.raw;
  const over = (): void => {
    stop();
    listener();
  };
  const stop = (): void => {
    raw.off('close', over);
    socket.off('close', over);
  };
  // As many listen as there are requests under way on the connection.
  socket.setMaxListeners(0);
  raw.once('close', over);
  socket.once('close', over);
  return stop;
}

/**
 * Calls back, once, if the client goes before it has been given the whole response.
 * @returns how to stop listening
 */
export function onGone(reply: FastifyReply, listener: () => void): () => void {
  const { raw, request } = reply;
  const { socket } = request.raw;
  let isSent = false;
  const finished = (): void => {
    // It also comes when the connection is cut with data in it.
    isSent = !socket.destroyed;
  };
  raw.once('finish', finished);
  const stop = whenOver(reply, () => {
    raw.off('finish', finished);
    if (!isSent) listener();
  });
  return () => {
    raw.off('finish', finished);
    stop();
  };
}

/**
 * A signal for work on behalf of a client.
 * @param closing the server's, which ends it too
 * @returns the signal, and how to let go of it
 */
export function goneSignal(
  reply: FastifyReply,
  closing: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const stop = onGone(reply, abort);
  closing.addEventListener('abort', abort);
  if (closing.aborted) abort();
  return {
    signal: controller.signal,
    release: () => {
      stop();
      closing.removeEventListener('abort', abort);
    },
  };
}
