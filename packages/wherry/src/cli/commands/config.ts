import type { Command } from 'commander';
import { addExamples } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { type LoadedConfig, loadServer } from '../server-package.ts';
import { type ConfigOptions, addConfigOptions, flagsOf } from './config-options.ts';

export function registerConfig(program: Command, line: CommandLine): void {
  const config = program
    .command('config')
    .description("look at the broker's configuration, without starting it");

  const check = addConfigOptions(
    config
      .command('check')
      .description('tell every mistake of the configuration')
      .argument('[file]', 'the configuration, instead of --config'),
  );
  addExamples(check, { 'Before a restart': 'wherry config check /etc/wherry/wherry.yaml' });
  line.handle<ConfigOptions>(check, async (invocation, options, [file]) => {
    const loaded = await load(invocation, options, file);
    await (await loadServer()).checkConfig(loaded.config);
    const what = loaded.file ?? 'The configuration (there is no file)';
    await invocation.output.result(`${what} is right.`, { ok: true, file: loaded.file });
  });

  const print = addConfigOptions(
    config
      .command('print')
      .description('show the value of every key, and where it comes from; secrets are masked'),
  );
  addExamples(print, { 'What rules here': 'wherry config print' });
  line.handle<ConfigOptions>(print, async (invocation, options) => {
    const { values } = await load(invocation, options, undefined);
    await invocation.output.list(
      values,
      {
        KEY: ({ key }) => key,
        VALUE: ({ value }) => (value === undefined ? '' : JSON.stringify(value)),
        FROM: ({ source }) => source,
      },
      'There are no keys.',
    );
  });

  const schema = config
    .command('schema')
    .description('print the JSON Schema of a configuration file, for editors');
  addExamples(schema, { 'For an editor': 'wherry config schema > wherry.schema.json' });
  line.handle(schema, async ({ output }) => {
    const { configJsonSchema } = await loadServer();
    await output.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  });
}

async function load(
  { io }: Invocation,
  options: ConfigOptions,
  file: string | undefined,
): Promise<LoadedConfig> {
  const { loadConfig } = await loadServer();
  const flags = flagsOf(options);
  return loadConfig({ cwd: process.cwd(), env: io.env, file: file ?? options.config, flags });
}
