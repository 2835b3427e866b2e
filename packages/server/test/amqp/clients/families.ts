import { join } from 'node:path';

/** A client and the scenario that drives it, which is started with the URL of a broker. */
export interface Family {
  readonly command: string;
  readonly args: readonly string[];
}

const folder = join(import.meta.dirname, 'scenarios');
const node = (file: string): Family => ({
  command: process.execPath,
  args: ['--import', import.meta.resolve('tsx'), join(folder, file)],
});

/** Debian's own: modules from its packages are for it alone. */
const python = (file: string): Family => ({
  command: '/usr/bin/python3',
  // What it compiles would lie in our tree.
  args: ['-B', join(folder, file)],
});

/** All of them, by the names of their transcripts in `expected`. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  amqplib: node('amqplib.ts'),
  'amqp-client': node('amqp-client.ts'),
  'amqp-connection-manager': node('amqp-connection-manager.ts'),
  'amqp-tools': { command: 'sh', args: [join(folder, 'amqp_tools.sh')] },
  bunny: { command: 'ruby', args: [join(folder, 'bunny_client.rb')] },
  celery: python('celery_client.py'),
  kombu: python('kombu_client.py'),
  'php-amqplib': { command: 'php', args: [join(folder, 'php_amqplib.php')] },
  pika: python('pika_client.py'),
  'pika-extensions': python('pika_extensions.py'),
  'rabbitmq-client': node('rabbitmq-client.ts'),
};
