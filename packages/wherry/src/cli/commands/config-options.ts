import { type Command, InvalidArgumentError } from 'commander';
import type { GlobalOptions } from '../invocation.ts';
import { integer } from '../values.ts';

/** The options that give values of the broker's configuration. */
export interface ConfigOptions extends GlobalOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly amqpPort?: number;
  readonly set?: Readonly<Record<string, string>>;
}

const PORT_MAX = 65_535;

export function addConfigOptions(command: Command): Command {
  return command
    .option('--config <file>', 'the configuration (default: $WHERRY_CONFIG, else ./wherry.yaml)')
    .option('--host <address>', 'the address to listen at (default: 127.0.0.1)')
    .option(
      '--port <number>',
      'the port; 0: any that is free (default: 7470)',
      integer(0, PORT_MAX),
    )
    .option(
      '--amqp-port <number>',
      'the port for AMQP 0-9-1; 0: any that is free (default: 5672)',
      integer(0, PORT_MAX),
    )
    .option('--set <key=value>', 'any key of the configuration; repeatable', setting);
}

/** `limits.bodyBytes=32mb`; may be repeated. */
function setting(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, key, value] = /^([\w.]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError("It must be key=value, such as 'limits.bodyBytes=32mb'.");
  }
  return { ...before, [key]: value };
}

/** @returns what the options say, by the key's path */
export function flagsOf({
  store,
  host,
  port,
  amqpPort,
  set,
}: ConfigOptions): Readonly<Record<string, string | number>> {
  const own = Object.entries({ store, host, port, 'amqp.port': amqpPort }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...set, ...(Object.fromEntries(own) as Record<string, string | number>) };
}
