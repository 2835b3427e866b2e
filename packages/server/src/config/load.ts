import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { BrokerConfig, BrokerConfigInput } from './config.ts';
import { ConfigError } from './errors.ts';
import { CONFIG_KEYS, type ConfigKey, readText } from './keys.ts';
import { maskSecrets } from './mask.ts';
import { parseConfig } from './parse.ts';
import { closestName } from '../closest-name.ts';

/** Where a configuration may come from. What stands further down wins. */
export interface ConfigSources {
  /** Where `wherry.yaml`, `wherry.yml` or `wherry.json` is looked for when no file is named. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From the command line: the file, instead of `WHERRY_CONFIG` and of looking for one. */
  readonly file?: string | undefined;
  /** From the command line, by the key's path; texts are read as those of the environment. */
  readonly flags?: Readonly<Record<string, string | number | boolean>>;
}

/** A configuration, and where each of its values comes from. */
export interface LoadedConfig {
  readonly config: BrokerConfig;
  /** The file that was read, or null. */
  readonly file: string | null;
  /** Every key in the order of the documentation, secrets masked. */
  readonly values: readonly {
    readonly key: string;
    readonly value: unknown;
    /** 'default', 'file PATH', 'environment NAME' or 'flag KEY'. */
    readonly source: string;
  }[];
}

const FILE_NAMES = ['wherry.yaml', 'wherry.yml', 'wherry.json'] as const;

/** Variables of the `WHERRY_` family that are not keys: other commands' and tests' own. */
const OTHER_VARIABLES = /^WHERRY_(CONFIG|TOKEN|TEST_\w+|SCREENSHOTS)$/;

/** What Kubernetes sets in every container when a service is called `wherry`. */
const SERVICE_LINK =
  /^WHERRY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/;

/**
 * Reads the configuration: defaults, then the file, then the environment, then flags.
 * @throws ConfigError telling every mistake
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const file = findFile(sources);
  const input = file === null ? {} : readFile(file);
  const origin = new Map<string, string>();
  for (const { path } of CONFIG_KEYS) {
    if (file !== null && valueAt(input, path) !== undefined) origin.set(path, `file ${file}`);
  }
  const give = (key: ConfigKey, text: string | number | boolean, source: string): void => {
    setAt(input, key.path, typeof text === 'string' ? readText(key, text) : text);
    origin.set(key.path, source);
  };
  for (const [variable, text] of Object.entries(sources.env)) {
    if (!variable.startsWith('WHERRY_') || text === undefined) continue;
    if (OTHER_VARIABLES.test(variable) || isServiceLink(variable, text)) continue;
    const key = CONFIG_KEYS.find((one) => one.variable === variable);
    if (key === undefined) problems.push(unknownVariable(variable));
    else give(key, text, `environment ${variable}`);
  }
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    const key = CONFIG_KEYS.find((one) => one.path === path);
    if (key === undefined) problems.push(unknownFlag(path));
    else give(key, value, `flag ${path}`);
  }
  const config = parseWith(problems, input);
  const values = CONFIG_KEYS.map(({ path }) => ({
    key: path,
    value: maskSecrets(valueAt(config, path)),
    source: origin.get(path) ?? 'default',
  }));
  return { config, file, values };
}

/** The mistakes of all sources are told together. */
function parseWith(problems: readonly string[], input: BrokerConfigInput): BrokerConfig {
  let found = problems;
  try {
    const config = parseConfig(input);
    if (found.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    found = [...found, ...error.problems];
  }
  throw new ConfigError(found);
}

function findFile({ file, env, cwd }: ConfigSources): string | null {
  const named = file ?? (env['WHERRY_CONFIG'] === '' ? undefined : env['WHERRY_CONFIG']);
  if (named !== undefined) return named;
  const found = FILE_NAMES.filter((name) => existsSync(join(cwd, name)));
  if (found.length > 1) {
    throw new ConfigError([
      `There are ${found.join(' and ')} in ${cwd}. Keep one, or name it with --config.`,
    ]);
  }
  return found[0] === undefined ? null : join(cwd, found[0]);
}

function readFile(path: string): BrokerConfigInput {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}.`]);
  }
  let value: unknown;
  try {
    value = path.endsWith('.json') ? JSON.parse(text) : parseYaml(text);
  } catch (error) {
    // The library shows the lines around the mistake, and one of them may hold a secret.
    const [what] = (error as Error).message.split('\n');
    throw new ConfigError([`${path} is not ${path.endsWith('.json') ? 'JSON' : 'YAML'}: ${what}`]);
  }
  // An empty file is an empty configuration.
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ConfigError([`${path} holds no keys; write them as 'port: 7470'.`]);
  }
  return value;
}

function isServiceLink(variable: string, text: string): boolean {
  // Keys have such names too; no key has such a value.
  if (CONFIG_KEYS.some((key) => key.variable === variable)) return text.startsWith('tcp://');
  return SERVICE_LINK.test(variable);
}

function unknownVariable(variable: string): string {
  const near = closestName(
    variable,
    CONFIG_KEYS.map((key) => key.variable),
  );
  const hint = near === null ? 'Unset it, or see: wherry config schema' : `Did you mean ${near}?`;
  return `The environment variable ${variable} names no key. ${hint}`;
}

function unknownFlag(path: string): string {
  const near = closestName(
    path,
    CONFIG_KEYS.map((key) => key.path),
  );
  const hint = near === null ? 'See: wherry config schema' : `Did you mean ${near}?`;
  return `${path} is not a known key. ${hint}`;
}

function valueAt(from: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], from);
}

/** Leaves what is no object as it is: the schema refuses it with better words. */
function setAt(to: object, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  let at = to as Record<string, unknown>;
  for (const key of keys) {
    at[key] ??= {};
    if (typeof at[key] !== 'object') return;
    at = at[key] as Record<string, unknown>;
  }
  at[last] = value;
}
