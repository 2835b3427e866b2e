import { accessSync, constants } from 'node:fs';
import { DEFAULT_QUEUE_SETTINGS, MessageQueueError, MessageQueueSystem } from 'wherry';
import type { BrokerConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { closestName } from '../closest-name.ts';

/**
 * Checks what the schema alone cannot know: that the certificate's files can be read, and that the
 * library would make the queues, exchanges, bindings and schedules.
 * @throws ConfigError telling every mistake
 */
export async function checkConfig(config: BrokerConfig): Promise<void> {
  const problems = [...unreadable(config), ...(await unmakeable(config))];
  if (problems.length > 0) throw new ConfigError(problems);
}

function unreadable({ tls }: BrokerConfig): string[] {
  if (tls === undefined) return [];
  return (['cert', 'key'] as const).flatMap((key) => {
    try {
      accessSync(tls[key], constants.R_OK);
      return [];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return [`tls.${key} is '${tls[key]}': the file cannot be read (${code}).`];
    }
  });
}

/** Makes them where nothing is kept. */
async function unmakeable(config: BrokerConfig): Promise<string[]> {
  const { queues, exchanges, bindings, schedules } = config;
  const problems: string[] = [];
  await using mq = await MessageQueueSystem.open();
  const each = async <Document>(
    what: string,
    documents: readonly Document[],
    make: (document: Document) => Promise<unknown>,
  ): Promise<void> => {
    for (const [i, document] of documents.entries()) {
      try {
        await make(document);
      } catch (error) {
        if (!(error instanceof MessageQueueError)) throw error;
        problems.push(`${what}[${i}]: ${withSuggestion(error.message)}`);
      }
    }
  };
  await each('queues', queues, (queue) => mq.createQueue(queue));
  await each('exchanges', exchanges, (exchange) => mq.createExchange(exchange));
  await each('bindings', bindings, (binding) => mq.bind(binding));
  await each('schedules', schedules, ({ name, ...schedule }) => mq.upsertSchedule(name, schedule));
  return problems;
}

const QUEUE_KEYS = ['name', ...Object.keys(DEFAULT_QUEUE_SETTINGS)];

function withSuggestion(message: string): string {
  const [, key] = /Unrecognized key: "(\w+)"/.exec(message) ?? [];
  const near = key === undefined ? null : closestName(key, QUEUE_KEYS);
  return near === null ? message : `${message} Did you mean ${near}?`;
}
