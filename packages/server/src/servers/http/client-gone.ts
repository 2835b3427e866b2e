import type { FastifyReply } from 'fastify';

/** Whether nobody is there any more to get the response. */
export function isGone({ raw }: FastifyReply): boolean {
  return raw.destroyed || raw.socket?.destroyed !== false;
}

/**
 * Calls back, once, if the client goes before it has been given the whole response.
 * @returns how to stop listening
 */
export function onGone(reply: FastifyReply, listener: () => void): () => void {
  const { raw } = reply;
  const { socket } = raw;
  let isSent = false;
  const finished = (): void => {
    // It also comes when the connection is cut with data in it.
    isSent = socket?.destroyed === false;
  };
  const closed = (): void => {
    if (!isSent) listener();
  };
  raw.once('finish', finished).once('close', closed);
  return () => void raw.off('finish', finished).off('close', closed);
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
  if (isGone(reply) || closing.aborted) abort();
  return {
    signal: controller.signal,
    release: () => {
      stop();
      closing.removeEventListener('abort', abort);
    },
  };
}
