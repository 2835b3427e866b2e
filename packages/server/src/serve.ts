import { readFileSync } from 'node:fs';
import { type Duration, durationToMs } from 'wherry';
import type { PasswordOptions } from './access/passwords.ts';
import type { BrokerConfig, BrokerConfigInput } from './config/config.ts';
import { checkConfig } from './config/check.ts';
import { ConfigError } from './config/errors.ts';
import { maskUrl } from './config/mask.ts';
import { parseConfig } from './config/parse.ts';
import { createApp } from './servers/http/app.ts';
import type { BrokerContext } from './servers/http/context.ts';
import { OpenSockets } from './servers/http/open-sockets.ts';
import { readTls, renewTls, watchTls } from './servers/http/tls.ts';
import { shutDown } from './shutdown.ts';
import { openState, type State } from './state.ts';
import type { Logger } from './telemetry/logger.ts';
import { createTelemetry } from './telemetry/telemetry.ts';

/** A broker that runs. */
export interface Broker extends AsyncDisposable {
  /** `http://127.0.0.1:7470` */
  readonly url: string;
  readonly port: number;
  readonly config: BrokerConfig;
  /**
   * Reads the certificate's files again, and takes the users and tokens of a configuration in the
   * place of those that it had; its other keys need a restart. What is wrong changes nothing.
   * @throws ConfigError, ValidationError
   */
  reload(input?: BrokerConfigInput): Promise<void>;
  /**
   * Takes no more connections, answers receives that wait with what there is, finishes the requests
   * that have begun, and lets go of the store.
   * @param options.deadline until what has not ended is cut. Default: `shutdownTimeout`
   * @throws TimeoutError when a store hangs and does not let go
   */
  close(options?: { readonly deadline?: Duration }): Promise<void>;
}

export interface ServeOptions {
  /** Instead of the one that `log` describes. */
  readonly logger?: Logger;
  /** What hashes of passwords cost, and how many are made at once. */
  readonly passwords?: PasswordOptions;
}

/**
 * Starts a broker.
 * @throws ConfigError telling every mistake @throws StorageError, StorageInUseError
 */
export async function serve(
  input: BrokerConfigInput = {},
  options: ServeOptions = {},
): Promise<Broker> {
  const config = parseConfig(input);
  await checkConfig(config);
  const tls = config.tls && readTls(config.tls);
  const state = await openState(config, options.passwords);
  const { vhosts, access } = state;
  const telemetry = createTelemetry(config, { vhosts, version: version() }, options.logger);
  const { logger, history } = telemetry;
  const context: BrokerContext = {
    version: version(),
    startedAt: Date.now(),
    config,
    vhosts,
    access,
    ...(tls && { tls }),
    telemetry,
    logger,
  };
  const app = createApp(context);
  const sockets = new OpenSockets(app.server);
  telemetry.metrics.watch('http_connections', 'Open connections', () => sockets.size);
  let url: string;
  try {
    await vhosts.open({
      opened: (vhost, mq) => telemetry.watch(vhost, mq),
      failed: (error, vhost) => logger.error({ vhost, err: error }, 'A virtual host failed'),
    });
    url = await listen(app, config);
  } catch (error) {
    await app.close();
    await state.close(0);
    throw error;
  }
  history.start();
  logger.info({ store: maskUrl(config.store), version: context.version }, 'Started');

  const { reload, unwatch } = makeReload(config, state, app, logger);
  const letGo = async (deadline: number): Promise<void> => {
    await history.stop();
    await state.close(deadline);
  };
  let closed: Promise<void> | null = null;
  const closeOnce = (how: { readonly deadline?: Duration } = {}): Promise<void> => {
    unwatch();
    const deadline = durationToMs(how.deadline ?? config.shutdownTimeout, 'deadline');
    closed ??= shutDown({ app, sockets, letGo, logger }, deadline);
    return closed;
  };
  const port = Number(new URL(url).port);
  return { url, port, config, reload, close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

/** @returns the address @throws ConfigError when that of the configuration cannot be had */
async function listen(
  app: ReturnType<typeof createApp>,
  { host, port }: BrokerConfig,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const mistakes: Readonly<Record<string, string>> = {
      EADDRINUSE: `port is ${port}: another program listens there. Stop it, or give another port.`,
      EACCES: `port is ${port}: this user may not listen there. Give a port from 1024 on.`,
      EADDRNOTAVAIL: `host is '${host}': this machine does not have the address.`,
      ENOTFOUND: `host is '${host}': nobody knows the name.`,
    };
    const mistake = mistakes[(error as NodeJS.ErrnoException).code ?? ''];
    throw mistake === undefined ? error : new ConfigError([mistake]);
  }
}

/** Certificates are renewed by themselves, accounts when somebody says so. */
function makeReload(
  { tls }: BrokerConfig,
  state: State,
  { server }: ReturnType<typeof createApp>,
  logger: Logger,
): { reload: Broker['reload']; unwatch: () => void } {
  const reload = async (changed?: BrokerConfigInput): Promise<void> => {
    // What is wrong is found before anything is changed.
    const renewed = tls && readTls(tls);
    if (changed !== undefined) await state.reload(parseConfig(changed));
    if (renewed !== undefined) renewTls(server, renewed);
    logger.info('Reloaded');
  };
  if (tls === undefined) return { reload, unwatch: () => {} };
  const unwatch = watchTls(tls, () => {
    reload().catch((error: unknown) => {
      logger.error({ err: error }, 'The certificate was not renewed: the former one is used');
    });
  });
  return { reload, unwatch };
}

function version(): string {
  const manifest = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
