import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { TimeoutError } from 'wherry';
import type { AmqpServer } from './servers/amqp/connection/listener.ts';
import type { OpenSockets } from './servers/http/open-sockets.ts';
import type { Logger } from './telemetry/logger.ts';

/** What of a broker has to end. */
export interface Ending {
  readonly app: FastifyInstance;
  readonly sockets: OpenSockets;
  /** Null: there is none. */
  readonly amqp: AmqpServer | null;
  /** @param deadline milliseconds until running handlers are abandoned */
  readonly letGo: (deadline: number) => Promise<void>;
  readonly logger: Logger;
}

/** How often a broker that closes looks for connections without a request. */
const IDLE_SWEEP_MS = 50;
/** How long the stores may take once the deadline has passed: one that hangs holds nobody up. */
const STORE_GRACE_MS = 2_000;

/**
 * Ends a broker in good order: requests may finish until the deadline, then they are cut.
 * @param deadline milliseconds
 * @throws TimeoutError when a store did not let go; what was confirmed is stored all the same
 */
export async function shutDown(ending: Ending, deadline: number): Promise<void> {
  const { app, sockets, amqp, logger, letGo } = ending;
  const end = Date.now() + deadline;
  logger.info({ deadline }, 'Closing');
  const cut = setTimeout(() => {
    logger.warn({ connections: sockets.size }, 'The deadline has passed: connections are cut');
    sockets.destroy();
  }, deadline);
  // A connection whose last request has ended would stay for the next one.
  const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
  try {
    await Promise.all([app.close(), amqp?.close(deadline)]);
  } finally {
    clearTimeout(cut);
    clearInterval(sweep);
    const left = Math.max(0, end - Date.now());
    await within(left + STORE_GRACE_MS, letGo(left));
    logger.info('Closed');
  }
}

/** @throws TimeoutError */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const tooLate = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw new TimeoutError('Letting go of the store', ms);
  });
  // Whichever comes second is of no interest any more.
  for (const one of [work, tooLate]) one.catch(() => {});
  try {
    await Promise.race([work, tooLate]);
  } finally {
    timer.abort();
  }
}
