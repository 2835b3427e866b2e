/**
 * `npm run generate:amqp`: writes what AMQP 0-9-1 defines by tables, methods, properties and reply
 * codes, from the specification as RabbitMQ publishes it (packages/server/spec).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './find-files.ts';
import { runCommand } from './run-command.ts';

interface Field {
  readonly name: string;
  readonly type?: string;
  readonly domain?: string;
  readonly 'default-value'?: unknown;
}

interface Specification {
  readonly domains: readonly (readonly [name: string, type: string])[];
  readonly constants: readonly {
    readonly name: string;
    readonly value: number;
    readonly class?: 'soft-error' | 'hard-error';
  }[];
  readonly classes: readonly {
    readonly id: number;
    readonly name: string;
    readonly properties?: readonly Field[];
    readonly methods: readonly {
      readonly id: number;
      readonly name: string;
      readonly arguments: readonly Field[];
      readonly content?: boolean;
    }[];
  }[];
}

const specification = 'packages/server/spec/amqp-rabbitmq-0.9.1.json';
const folder = 'packages/server/src/protocols/amqp';
const notice =
  '// Written by `npm run generate:amqp` from packages/server/spec. Do not change it by hand.\n';

/** How a value of each type looks in TypeScript, and what it is when the specification is silent. */
const types: Record<string, { readonly value: string; readonly initial: unknown }> = {
  bit: { value: 'boolean', initial: false },
  octet: { value: 'number', initial: 0 },
  short: { value: 'number', initial: 0 },
  long: { value: 'number', initial: 0 },
  longlong: { value: 'number', initial: 0 },
  timestamp: { value: 'number', initial: 0 },
  shortstr: { value: 'string', initial: '' },
  longstr: { value: 'Buffer', initial: '' },
  table: { value: 'Table', initial: '' },
};

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function quoted(words: readonly string[], separator: string): string {
  return words.map((word) => `'${word}'`).join(separator);
}

/** How a field is written down in TypeScript. */
interface FieldText {
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly initial: string;
}

function describeField(field: Field, domains: ReadonlyMap<string, string>): FieldText {
  const type = domains.get(field.type ?? field.domain!)!;
  const { value, initial } = types[type]!;
  const given = field['default-value'];
  // The one default of a table is the empty one.
  const isSilent = given === undefined || typeof given === 'object';
  const name = camelCase(field.name);
  return { name, type, value, initial: JSON.stringify(isSilent ? initial : given) };
}

/** @returns the text of method-table.ts, not formatted yet */
function methodTable(spec: Specification): string {
  const domains = new Map(spec.domains);
  const describe = (field: Field): FieldText => describeField(field, domains);
  const classes = spec.classes.toSorted((a, b) => a.id - b.id);
  const methods = classes.flatMap(({ id, name, methods: ofClass }) =>
    ofClass.map((method) => ({
      id: `0x${((id << 16) | method.id).toString(16).padStart(8, '0')}`,
      name: `${name}.${method.name}`,
      arguments: method.arguments.map(describe),
      hasContent: method.content ?? false,
    })),
  );
  const rows = methods.map((method) => {
    const args = method.arguments.map(
      ({ name, type, initial }) => `['${name}', '${type}', ${initial}]`,
    );
    return `{
      id: ${method.id}, name: '${method.name}', arguments: [${args.join(', ')}],
      hasContent: ${method.hasContent} },`;
  });
  const shapes = methods.map((method) => {
    const args = method.arguments.map(({ name, value }) => `readonly ${name}: ${value};`);
    return `'${method.name}': { ${args.join(' ')} };`;
  });
  const basic = spec.classes.find(({ name }) => name === 'basic')!;
  const properties = basic.properties!.map(describe);
  return `${notice}
    import type { Table } from './table.ts';

    export type ArgumentType = ${quoted(Object.keys(types), ' | ')};

    export interface MethodSpec {
      /** Class and method, 16 bits each, as a method frame begins. */
      readonly id: number;
      readonly name: MethodName;
      /** Name, type, and the value of an argument that is not given; '' is also the empty table. */
      readonly arguments: readonly (readonly [
        name: string,
        type: ArgumentType,
        initial: string | number | boolean,
      ])[];
      readonly hasContent: boolean;
    }

    export const METHODS: readonly MethodSpec[] = [${rows.join('\n')}];

    export interface MethodArguments { ${shapes.join('\n')} }

    export type MethodName = keyof MethodArguments;

    /** The properties of a message, in the order of their flags: the first has the highest bit. */
    export const PROPERTIES: readonly (readonly [name: keyof Properties, type: ArgumentType])[] = [
      ${properties.map(({ name, type }) => `['${name}', '${type}'],`).join(' ')}
    ];

    export interface Properties {
      ${properties.map(({ name, value }) => `${name}?: ${value} | undefined;`).join(' ')}
    }
  `;
}

/** @returns the text of reply-codes.ts, not formatted yet */
function replyCodes(spec: Specification): string {
  const replies = spec.constants
    .filter(({ name, class: grade }) => grade !== undefined || name === 'REPLY-SUCCESS')
    .map((constant) => ({ ...constant, name: constant.name.toLowerCase() }));
  const soft = replies.filter((reply) => reply.class === 'soft-error').map(({ name }) => name);
  return `${notice}
    export const REPLY = { ${replies.map(({ name, value }) => `'${name}': ${value},`).join(' ')} } as const;

    export type ReplyName = keyof typeof REPLY;

    /** What closes only the channel; every other error closes the connection. */
    export const SOFT_ERRORS: ReadonlySet<ReplyName> = new Set([${quoted(soft, ', ')}] as const);
  `;
}

/** Writes the generated files into `target`, formatted. */
export async function generateAmqp(target: string): Promise<void> {
  const spec = JSON.parse(readFileSync(join(root, specification), 'utf8')) as Specification;
  const files = [join(target, 'method-table.ts'), join(target, 'reply-codes.ts')] as const;
  writeFileSync(files[0], methodTable(spec));
  writeFileSync(files[1], replyCodes(spec));
  const oxfmt = join(root, 'node_modules/.bin/oxfmt');
  const options = ['--config', join(root, '.oxfmtrc.json'), ...files];
  const { code, output } = await runCommand(oxfmt, options, { cwd: target });
  if (code !== 0) throw new Error(`oxfmt failed: ${output}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await generateAmqp(join(root, folder));
}
