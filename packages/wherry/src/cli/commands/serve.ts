import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { type BrokerConfig, loadServer } from '../server-package.ts';
import { type ConfigOptions, addConfigOptions, flagsOf } from './config-options.ts';

export function registerServe(program: Command, line: CommandLine): void {
  const command = addConfigOptions(
    program.command('serve').description('run the broker: the store, for programs in any language'),
  );
  addExamples(command, {
    'On the folder ./wherry-data, at http://127.0.0.1:7470 and amqp://127.0.0.1:5672':
      'wherry serve',
    'On a Redis, with a configuration':
      'wherry serve --store redis://127.0.0.1 --config wherry.yaml',
    'With one key more': 'wherry serve --set limits.bodyBytes=32mb',
  });
  line.handle<ConfigOptions>(command, async (invocation, options) => {
    const { loadConfig, serve } = await loadServer();
    const { io, output } = invocation;
    const load = (): BrokerConfig => {
      const flags = flagsOf(options);
      return loadConfig({ cwd: process.cwd(), env: io.env, file: options.config, flags }).config;
    };
    const config = load();
    const broker = await serve(config);
    io.onHangUp?.(() => {
      // An async function, so that a mistake in the file is told like any other failure.
      const reload = async (): Promise<void> => broker.reload(load());
      reload().catch((error: unknown) => output.failure(error));
    });
    const { url } = broker;
    const amqp = addressOf('amqp', url, broker.amqpPort);
    const amqps = addressOf('amqps', url, broker.amqpTlsPort);
    const places = [
      ...(config.dashboard ? [`Dashboard  ${url}/`] : []),
      `HTTP API   ${url}/api/v1`,
      ...(amqp === null ? [] : [`AMQP       ${amqp}`]),
      ...(amqps === null ? [] : [`AMQP, TLS  ${amqps}`]),
      `Commands   npx wherry queue list --store ${url}`,
    ];
    await output.result(places.join('\n'), {
      url,
      api: `${url}/api/v1`,
      dashboard: config.dashboard ? `${url}/` : null,
      amqp,
      amqps,
    });
    await untilStopped(invocation.signal);
    await broker.close();
    // Whoever runs a broker ends it by a signal: that is no failure.
    return EXIT.ok;
  });
}

/** @returns the address of what listens beside HTTP; null: nothing does */
function addressOf(scheme: string, url: string, port: number | null): string | null {
  return port === null ? null : `${scheme}://${new URL(url).hostname}:${port}`;
}

/** Until the first signal; at the second the process ends at once. */
async function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
