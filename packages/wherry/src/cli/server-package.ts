import { MessageQueueError } from '../core/errors.ts';

/** What the command line uses of `wherry-server`, which comes only with those who want a broker. */
export interface ServerPackage {
  /** @throws ConfigError with code CONFIG, telling every mistake */
  readonly loadConfig: (sources: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly file?: string | undefined;
    readonly flags?: Readonly<Record<string, string | number | boolean>>;
  }) => LoadedConfig;
  /** @throws ConfigError with code CONFIG, telling every mistake */
  readonly checkConfig: (config: BrokerConfig) => Promise<void>;
  /** The JSON Schema of a configuration file. */
  readonly configJsonSchema: () => Readonly<Record<string, unknown>>;
  readonly serve: (config: BrokerConfig) => Promise<Broker>;
}

export interface LoadedConfig {
  readonly config: BrokerConfig;
  readonly file: string | null;
  readonly values: readonly {
    readonly key: string;
    readonly value: unknown;
    readonly source: string;
  }[];
}

/** What of a configuration the command line itself looks at. */
export interface BrokerConfig {
  readonly dashboard: boolean;
}

interface Broker {
  readonly url: string;
  /** Null: not served. */
  readonly amqpPort: number | null;
  readonly amqpTlsPort: number | null;
  close(options?: { readonly deadline?: number }): Promise<void>;
  /** Takes certificates and accounts anew. @throws ConfigError; nothing has changed then */
  reload(config: BrokerConfig): Promise<void>;
}

const NAME: string = 'wherry-server';

/** @throws ServerMissingError */
export async function loadServer(): Promise<ServerPackage> {
  try {
    return (await import(NAME)) as ServerPackage;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${NAME}'`)) throw error;
    throw new ServerMissingError(error);
  }
}

/** The broker is a package of its own, and it is not installed. */
class ServerMissingError extends MessageQueueError {
  constructor(cause: unknown) {
    super('SERVER_MISSING', `The broker is a package of its own. Install it: npm install ${NAME}`, {
      cause,
    });
  }
}
