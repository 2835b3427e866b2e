import { configJsonSchema } from './schema.ts';

/** One key of the configuration that has a value rather than keys below it. */
export interface ConfigKey {
  /** As in a file: `limits.bodyBytes`. */
  readonly path: string;
  /** The environment variable: `WHERRY_LIMITS_BODY_BYTES`. */
  readonly variable: string;
  readonly description: string;
  /** Undefined: none. */
  readonly default: unknown;
  /** How a text from the environment or the command line becomes its value. */
  readonly kind: 'text' | 'number' | 'boolean' | 'texts' | 'json';
}

interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

/** Every key there is, in the order of the documentation. */
export const CONFIG_KEYS: readonly ConfigKey[] = keysBelow(configJsonSchema(), []);

function keysBelow({ properties = {} }: Node, above: readonly string[]): ConfigKey[] {
  return Object.entries(properties)
    .filter(([name]) => name !== '$schema')
    .flatMap(([name, node]) => {
      const path = [...above, name];
      return node.properties === undefined ? [keyOf(node, path)] : keysBelow(node, path);
    });
}

function keyOf(node: Node, path: readonly string[]): ConfigKey {
  const words = path.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`));
  return {
    path: path.join('.'),
    variable: `WHERRY_${words.join('_').toUpperCase()}`,
    description: node.description ?? '',
    default: node.default,
    kind: kindOf(node),
  };
}

function kindOf({ type, items }: Node): ConfigKey['kind'] {
  if (type === 'boolean') return 'boolean';
  if (type === 'integer') return 'number';
  if (type === 'array') return items?.type === 'string' ? 'texts' : 'json';
  return 'text';
}

/** @returns the value that `text` stands for; a text that stands for none is left for the schema to refuse */
export function readText({ kind }: ConfigKey, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'texts':
      return text === '' ? [] : text.split(',').map((part) => part.trim());
    case 'json':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return text;
      }
  }
}
