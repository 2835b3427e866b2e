import { readFileSync } from 'node:fs';
import { type Duration, durationToMs } from 'wherry';
import type { PasswordOptions } from './access/passwords.ts';
import { makeAlarms } from './alarms.ts';
import { amqpTls, listenForAmqp, makeAmqp } from './amqp.ts';
import type { BrokerConfig, BrokerConfigInput } from './config/config.ts';
import { checkConfig } from './config/check.ts';
import { maskUrl } from './config/mask.ts';
import { parseConfig } from './config/parse.ts';
import { describeListenError } from './listen-error.ts';
import { Administration } from './servers/amqp/administration/administration.ts';
import type { AmqpServer } from './servers/amqp/connection/listener.ts';
import { createApp } from './servers/http/app.ts';
import type { BrokerContext } from './servers/http/context.ts';
import { OpenSockets } from './servers/http/open-sockets.ts';
import { readTls, renewTls, watchTls } from './servers/http/tls.ts';
import { type Ending, shutDown } from './shutdown.ts';
import { openState, type State } from './state.ts';
import type { Logger } from './telemetry/logger.ts';
import { createTelemetry } from './telemetry/telemetry.ts';

/** A broker that runs. */
export interface Broker extends AsyncDisposable {
  /** `http://127.0.0.1:7470` */
  readonly url: string;
  readonly port: number;
  /** Of AMQP 0-9-1; null: it is not served. */
  readonly amqpPort: number | null;
  /** Of AMQP over TLS; null: it is not served. */
  readonly amqpTlsPort: number | null;
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
  const { alarms, watermarks } = makeAlarms(config, telemetry);
  const parts = {
    version: version(),
    startedAt: Date.now(),
    config,
    vhosts,
    access,
    ...(tls && { tls }),
    telemetry,
    alarms,
    logger,
  };
  const amqp = makeAmqp(parts);
  const context: BrokerContext = { ...parts, amqp: amqp && new Administration(amqp) };
  const app = createApp(context);
  const sockets = new OpenSockets(app.server);
  telemetry.metrics.watch('http_connections', 'Open connections', () => sockets.size);
  let places: Places;
  try {
    // Before anybody can send.
    await watermarks.start();
    places = await begin(context, app, amqp);
  } catch (error) {
    watermarks.stop();
    await Promise.all([app.close(), amqp?.close(0)]);
    await state.close(0);
    throw error;
  }
  history.start();
  logger.info({ store: maskUrl(config.store), version: context.version, ...places }, 'Started');

  const { reload, unwatch } = makeReload(config, state, { app, amqp, logger });
  const letGo = async (deadline: number): Promise<void> => {
    watermarks.stop();
    await history.stop();
    await state.close(deadline);
  };
  let closed: Promise<void> | null = null;
  const closeOnce = (how: { readonly deadline?: Duration } = {}): Promise<void> => {
    unwatch();
    const deadline = durationToMs(how.deadline ?? config.shutdownTimeout, 'deadline');
    closed ??= shutDown({ app, sockets, amqp, letGo, logger }, deadline);
    return closed;
  };
  return { ...places, config, reload, close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

/** Where a broker can be reached. */
type Places = Pick<Broker, 'url' | 'port' | 'amqpPort' | 'amqpTlsPort'>;

/** Opens the virtual hosts and the ports. @throws ConfigError, StorageError */
async function begin(
  { config, vhosts, telemetry }: BrokerContext,
  app: ReturnType<typeof createApp>,
  amqp: AmqpServer | null,
): Promise<Places> {
  await vhosts.open({
    opened: (vhost, mq) => {
      telemetry.watch(vhost, mq);
      amqp?.prepare(vhost);
    },
    failed: (error, vhost) => {
      telemetry.logger.error({ vhost, err: error }, 'A virtual host failed');
    },
  });
  const url = await listen(app, config);
  const ports = await listenForAmqp(amqp, config);
  return {
    url,
    port: Number(new URL(url).port),
    amqpPort: ports?.port ?? null,
    amqpTlsPort: ports?.tlsPort ?? null,
  };
}

/** @returns the address @throws ConfigError when that of the configuration cannot be had */
async function listen(
  app: ReturnType<typeof createApp>,
  { host, port }: BrokerConfig,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    throw describeListenError(error, { host, key: 'port', port, remedy: 'or give another port' });
  }
}

/** Certificates are renewed by themselves, accounts when somebody says so. */
function makeReload(
  config: BrokerConfig,
  state: State,
  { app, amqp, logger }: Pick<Ending, 'app' | 'amqp' | 'logger'>,
): { reload: Broker['reload']; unwatch: () => void } {
  const { tls } = config;
  const reload = async (changed?: BrokerConfigInput): Promise<void> => {
    // What is wrong is found before anything is changed.
    const renewed = tls && readTls(tls);
    const renewedForAmqp = renewed && amqpTls(config, renewed);
    if (changed !== undefined) await state.reload(parseConfig(changed));
    if (renewed !== undefined) renewTls(app.server, renewed);
    if (renewedForAmqp !== undefined) amqp?.renewTls(renewedForAmqp);
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
