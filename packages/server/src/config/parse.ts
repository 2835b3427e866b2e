import type * as z from 'zod';
import type { BrokerConfig, BrokerConfigInput } from './config.ts';
import { ConfigError } from './errors.ts';
import { CONFIG_KEYS } from './keys.ts';
import { maskSecrets } from './mask.ts';
import { configJsonSchema, configSchema } from './schema.ts';
import { closestName } from '../closest-name.ts';

const SHOWN_MAX = 60;

/** @returns the configuration, complete @throws ConfigError telling every mistake */
export function parseConfig(input: BrokerConfigInput): BrokerConfig {
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue, input)));
}

function describeIssue(issue: z.core.$ZodIssue, input: unknown): string[] {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(issue.path);
    return issue.keys.map((key) =>
      unknownKey(path === '' ? key : `${path}.${key}`, key, known, path),
    );
  }
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  );
  if (value === undefined) return [`${path} is missing.`];
  if (path === '') return [`${issue.message}.`];
  return [`${path} is ${show(value, issue.path)}: ${issue.message}.`];
}

/** @returns the sentence for a key that does not exist, with what may have been meant */
function unknownKey(whole: string, key: string, known: readonly string[], above: string): string {
  const near = closestName(key, known);
  const elsewhere = CONFIG_KEYS.find(({ path }) => path.split('.').at(-1) === key);
  if (near !== null) {
    const meant = above === '' ? near : `${above}.${near}`;
    return `${whole} is not a known key. Did you mean ${meant}?`;
  }
  if (elsewhere !== undefined)
    return `${whole} is not a known key. Did you mean ${elsewhere.path}?`;
  return `${whole} is not a known key. Known are ${known.join(', ')}.`;
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

function keysAt(path: readonly PropertyKey[]): string[] {
  let node: Node | undefined = configJsonSchema();
  for (const key of path) {
    node = typeof key === 'number' ? node?.items : node?.properties?.[String(key)];
  }
  return Object.keys(node?.properties ?? {}).filter((key) => key !== '$schema');
}

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

function show(value: unknown, path: readonly PropertyKey[]): string {
  const key = String(path.at(-1));
  const masked = (maskSecrets({ [key]: value }) as Record<string, unknown>)[key];
  const text = typeof masked === 'string' ? `'${masked}'` : JSON.stringify(masked);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
