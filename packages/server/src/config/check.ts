import { accessSync, constants } from 'node:fs';
import { DEFAULT_QUEUE_SETTINGS, MessageQueueError, MessageQueueSystem } from 'wherry';
import type { BrokerConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { closestName } from '../closest-name.ts';

/**
 * Checks what the schema alone cannot know: that files can be read, that keys agree, and that the
 * library would make the queues, exchanges, bindings and schedules.
 * @throws ConfigError telling every mistake
 */
export async function checkConfig(config: BrokerConfig): Promise<void> {
  const problems = [
    ...unreadable(config),
    ...contradictions(config),
    ...(await unmakeable(config)),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}

function unreadable({ tls, amqp }: BrokerConfig): string[] {
  const files = {
    'tls.cert': tls?.cert,
    'tls.key': tls?.key,
    'amqp.clientCa': amqp.clientCa,
  };
  return Object.entries(files).flatMap(([key, file]) => {
    if (file === undefined) return [];
    try {
      accessSync(file, constants.R_OK);
      return [];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return [`${key} is '${file}': the file cannot be read (${code}).`];
    }
  });
}

function contradictions({ tls, amqp }: BrokerConfig): string[] {
  const problems: string[] = [];
  if (amqp.tlsPort !== undefined && tls === undefined) {
    problems.push(
      `amqp.tlsPort is ${amqp.tlsPort}, and there is no certificate. Give tls.cert and tls.key too.`,
    );
  }
  if (amqp.clientCa !== undefined && amqp.tlsPort === undefined) {
    problems.push(
      `amqp.clientCa is '${amqp.clientCa}', and certificates come over TLS only. ` +
        'Give amqp.tlsPort too.',
    );
  }
  return problems;
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
