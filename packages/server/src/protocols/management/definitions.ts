import * as z from 'zod';
import {
  type BindingBody,
  bindingBody,
  type ExchangeBody,
  exchangeBody,
  type PermissionBody,
  permissionBody,
  type QueueBody,
  queueBody,
  type UserBody,
  userBody,
} from './requests.ts';
import type { PlainTable } from './amqp-side.ts';

/** RabbitMQ's, whose form a definitions file has, and which clients take the broker for. */
export const RABBITMQ_VERSION = '3.10.8';

/** What a definitions file holds, in the order in which it is taken. */
export const KINDS = [
  'users',
  'vhosts',
  'permissions',
  'policies',
  'queues',
  'exchanges',
  'bindings',
] as const;

export type Kind = (typeof KINDS)[number];

/** Those that a file for one virtual host may have. */
export const VHOST_KINDS: readonly Kind[] = ['policies', 'queues', 'exchanges', 'bindings'];

/** What else RabbitMQ exports, and what to do about it. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  topic_permissions: 'permissions here do not look at routing keys: permissions alone decide',
  parameters: 'plug-ins and limits that are set with parameters are not there',
  global_parameters: 'global parameters mean nothing here',
};

/** A whole file. Its entries are looked at one by one: one that is wrong does not keep out the others. */
export const definitionsBody: z.ZodType<Readonly<Record<string, unknown>>> = z
  .looseObject({})
  .meta({ description: 'A definitions file, as RabbitMQ exports it.' });

const named = { name: z.string().min(1).max(255) };
const inVhost = { vhost: z.string().min(1).max(255).optional() };

export interface Policy {
  readonly name: string;
  readonly vhost?: string | undefined;
  readonly pattern: string;
  readonly 'apply-to': string;
  readonly priority: number;
  readonly definition: PlainTable;
}

interface InVhost {
  readonly vhost?: string | undefined;
}

export interface Entries {
  readonly users: UserBody & { readonly name: string };
  readonly vhosts: { readonly name: string; readonly description?: string | undefined };
  readonly permissions: PermissionBody & { readonly user: string; readonly vhost: string };
  readonly policies: Policy;
  readonly queues: QueueBody & InVhost & { readonly name: string };
  readonly exchanges: ExchangeBody & InVhost & { readonly name: string };
  readonly bindings: BindingBody &
    InVhost & {
      readonly source: string;
      readonly destination: string;
      readonly destination_type: 'queue' | 'exchange';
    };
}

/** Of one entry of each kind. */
export const ENTRY_SCHEMAS: { readonly [K in Kind]: z.ZodType<Entries[K]> } = {
  users: z.intersection(z.looseObject(named), userBody) as z.ZodType<Entries['users']>,
  vhosts: z.looseObject({ ...named, description: z.string().max(1_000).optional() }),
  permissions: z.intersection(
    z.looseObject({ user: z.string().min(1).max(255), vhost: z.string().min(1).max(255) }),
    permissionBody,
  ) as z.ZodType<Entries['permissions']>,
  policies: z.looseObject({
    ...named,
    ...inVhost,
    pattern: z.string().max(1_000),
    'apply-to': z.string().default('all'),
    priority: z.int().default(0),
    definition: z.record(z.string(), z.unknown()),
  }) as z.ZodType<Entries['policies']>,
  queues: z.intersection(z.looseObject({ ...named, ...inVhost }), queueBody) as z.ZodType<
    Entries['queues']
  >,
  exchanges: z.intersection(z.looseObject({ ...named, ...inVhost }), exchangeBody) as z.ZodType<
    Entries['exchanges']
  >,
  bindings: z.intersection(
    z.looseObject({
      source: z.string().min(1).max(255),
      destination: z.string().min(1).max(255),
      destination_type: z.enum(['queue', 'exchange']),
      ...inVhost,
    }),
    bindingBody,
  ) as z.ZodType<Entries['bindings']>,
};

/** Something that is not as the file says. */
export interface Remark {
  readonly kind: string;
  readonly name: string;
  readonly detail: string;
}

/** What became of a definitions file. */
export interface ImportReport {
  /** How many of each kind are there now, whether or not they were there before. */
  readonly taken: Readonly<Record<Kind, number>>;
  /** Taken, but otherwise than the file has it. */
  readonly changed: readonly Remark[];
  readonly left_out: readonly Remark[];
}

const remarkSchema = z.strictObject({ kind: z.string(), name: z.string(), detail: z.string() });

export const importReportSchema: z.ZodType<ImportReport> = z
  .strictObject({
    taken: z.strictObject(
      Object.fromEntries(KINDS.map((kind) => [kind, z.int()])) as Record<Kind, z.ZodInt>,
    ),
    changed: z.array(remarkSchema).describe('Taken, but otherwise than the file has it.'),
    left_out: z.array(remarkSchema),
  })
  .meta({ id: 'ImportReport' });
