import { type MessageQueueSystem, StorageError } from 'wherry';
import type { BrokerConfig } from '../config/config.ts';
import { History } from './history.ts';
import { type Logger, createLogger } from './logger.ts';
import { Metrics, type MetricsParts } from './metrics.ts';

/** How the broker tells what it does. */
export interface Telemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly history: History;
  /** Writes and counts what fails in a virtual host outside of any request. */
  watch(vhost: string, mq: MessageQueueSystem): void;
  /** Counts an error if it is the store's. */
  countError(error: unknown): void;
  /** Calls back for each that is counted. */
  onStoreError(listener: (error: StorageError) => void): void;
}

/** @param logger instead of one made by the configuration */
export function createTelemetry(
  config: BrokerConfig,
  { vhosts, version }: Pick<MetricsParts, 'vhosts' | 'version'>,
  logger: Logger = createLogger(config.log),
): Telemetry {
  const { metricQueues, historyQueues } = config.limits;
  const metrics = new Metrics({ version, vhosts, queuesMax: metricQueues, now: Date.now });
  const listeners: ((error: StorageError) => void)[] = [];
  const countError = (error: unknown): void => {
    if (!isStorageError(error)) return;
    metrics.countStoreError(error.code);
    for (const listener of listeners) listener(error);
  };
  const history = new History({
    vhosts,
    queuesMax: historyQueues,
    now: Date.now,
    failed: (error) => {
      countError(error);
      logger.warn({ err: error }, 'The queues could not be looked at for the charts');
    },
  });
  metrics.watch('history_queues', 'Queues whose charts are kept', () => history.size);
  const watch = (vhost: string, mq: MessageQueueSystem): void => {
    mq.events.on('consumerError', ({ queue, consumerId, error }) => {
      countError(error);
      logger.error({ vhost, queue, consumer: consumerId, err: error }, 'A consumer failed');
    });
    mq.events.on('scheduleError', ({ schedule, tick, givenUp, error }) => {
      countError(error);
      logger.error({ vhost, schedule, tick, givenUp, err: error }, 'A schedule failed');
    });
    mq.events.on('parked', ({ queue, id, waitingFor, reason }) => {
      logger.warn({ vhost, queue, id, waitingFor, reason }, 'A dead letter waits at its source');
    });
  };
  const onStoreError: Telemetry['onStoreError'] = (listener) => void listeners.push(listener);
  return { logger, metrics, history, watch, countError, onStoreError };
}

function isStorageError(error: unknown): error is StorageError {
  return error instanceof StorageError;
}
