import { randomBytes } from 'node:crypto';
import { MessageQueueError, StorageError } from 'wherry';
import { importPasswordHash } from '../../../../access/passwords.ts';
import { matchesGlob } from '../../../../access/permissions.ts';
import { parse } from '../../../../protocols/http/mistakes.ts';
import { userParams, vhostParams } from '../../../../protocols/http/schemas/access.ts';
import {
  isAdministrator,
  permissionOf,
  tagsOf,
} from '../../../../protocols/management/access-rows.ts';
import {
  type Entries,
  ENTRY_SCHEMAS,
  type ImportReport,
  type Kind,
  KINDS,
  LEFT_OUT,
  type Remark,
} from '../../../../protocols/management/definitions.ts';
import {
  effectiveSettings,
  policyFor,
  type ReadPolicy,
  readPolicy,
} from '../../../../protocols/management/policies.ts';
import { type BrokerContext, DEFAULT_VHOST } from '../../context.ts';
import { VhostNotFoundError } from '../../../../vhosts/errors.ts';
import { vhostSide } from './common.ts';

/** Definitions that are stored at once: a store gathers what comes together. */
const AT_ONCE = 64;
const RABBITMQ_DEFAULT_HASHING = 'rabbit_password_hashing_sha256';
/** More than these nobody reads. */
const REMARKS_MAX = 10_000;

type Handlers = { readonly [K in Kind]: (entry: Entries[K]) => Promise<void> };

/** Takes one definitions file, entry by entry, and tells what became of each. */
export class DefinitionsImport {
  readonly #broker: BrokerContext;
  readonly #kinds: readonly Kind[];
  readonly #vhost: string | null;
  readonly #taken = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  readonly #changed: Remark[] = [];
  readonly #leftOut: Remark[] = [];
  readonly #policies = new Map<string, ReadPolicy[]>();

  /**
   * @param kinds which are taken
   * @param vhost where all of it goes; null: where each entry says
   */
  constructor(broker: BrokerContext, kinds: readonly Kind[], vhost: string | null) {
    this.#broker = broker;
    this.#kinds = kinds;
    this.#vhost = vhost;
  }

  async run(file: Readonly<Record<string, unknown>>): Promise<ImportReport> {
    for (const kind of KINDS) {
      const entries = file[kind];
      if (Array.isArray(entries)) await this.#takeKind(kind, entries);
      else if (entries !== undefined) this.#leaveOut(kind, '', `${kind} is no list`);
      // Queues must be there before their policies can be applied.
      if (kind === 'queues') await this.#applyPolicies();
    }
    for (const [kind, why] of Object.entries(LEFT_OUT)) this.#leaveOutKind(kind, file[kind], why);
    return {
      taken: this.#taken,
      changed: this.#changed.slice(0, REMARKS_MAX),
      left_out: this.#leftOut.slice(0, REMARKS_MAX),
    };
  }

  async #takeKind(kind: Kind, entries: readonly unknown[]): Promise<void> {
    if (this.#kinds.includes(kind)) await this.#takeAll(kind, entries);
    else if (entries.length > 0) {
      this.#leaveOut(kind, '', 'they are no part of a virtual host: POST /api/definitions');
    }
  }

  async #takeAll(kind: Kind, entries: readonly unknown[]): Promise<void> {
    const read: Entries[Kind][] = entries.flatMap((entry) => this.#read(kind, entry));
    // Users one after the other, administrators first: without one there can be no others.
    const isOrdered = kind === 'users' || kind === 'permissions';
    const ordered = kind === 'users' ? administratorsFirst(read as Entries['users'][]) : read;
    await inSteps(ordered, isOrdered ? 1 : AT_ONCE, (entry) => this.#take(kind, entry));
  }

  #read<K extends Kind>(kind: K, entry: unknown): Entries[K][] {
    try {
      return [parse(ENTRY_SCHEMAS[kind], entry, kind)];
    } catch (error) {
      this.#leaveOut(kind, nameOf(entry), (error as Error).message);
      return [];
    }
  }

  async #take<K extends Kind>(kind: K, entry: Entries[K]): Promise<void> {
    const handle = this.#handlers[kind] as (entry: Entries[K]) => Promise<void>;
    const refusal = await refusalOf(() => handle(entry));
    if (refusal === null) this.#taken[kind] += 1;
    else this.#leaveOut(kind, nameOf(entry), refusal);
  }

  readonly #handlers: Handlers = {
    users: async (user) => {
      const { name, password, password_hash: hash = '', hashing_algorithm: algorithm } = user;
      parse(userParams, { user: name }, 'users');
      const tags = tagsOf(user.tags);
      const admin = isAdministrator(tags);
      const { accounts } = this.#broker.access;
      await accounts.putUser(name, {
        ...(hash !== ''
          ? { passwordHash: importPasswordHash(algorithm ?? RABBITMQ_DEFAULT_HASHING, hash) }
          : this.#passwordOf(name, password)),
        admin,
      });
      const others = tags.filter((tag) => tag !== 'administrator');
      if (others.length > 0) {
        this.#change('users', name, `the tags ${others.join(', ')} mean nothing here`);
      }
      if (admin) {
        this.#change('users', name, 'an administrator may do everything in every virtual host');
      }
    },
    vhosts: async ({ name, description }) => {
      parse(vhostParams, { name }, 'vhosts');
      if (name !== DEFAULT_VHOST) await this.#broker.vhosts.put(name, { description });
    },
    permissions: async (permission) => {
      const { user, vhost } = permission;
      // As where one permission is put: rights in a name that was mistyped are seen by nobody.
      if ((await this.#broker.vhosts.opened(vhost)) === undefined) {
        throw new VhostNotFoundError(vhost);
      }
      const changed = permissionOf(user, vhost, permission);
      await this.#broker.access.accounts.editPermissions(user, (present) => [
        ...present.filter((one) => one.vhost !== vhost),
        changed,
      ]);
    },
    policies: async (policy) => {
      const vhost = this.#vhostOf(policy);
      await vhostSide(this.#broker, vhost);
      const read = readPolicy(policy);
      for (const remark of read.remarks) this.#change('policies', policy.name, remark);
      this.#policies.set(vhost, [...(this.#policies.get(vhost) ?? []), read]);
    },
    queues: async (queue) => {
      const side = await vhostSide(this.#broker, this.#vhostOf(queue));
      const { name, durable, auto_delete: autoDelete } = queue;
      await side.declareQueue({ name, durable, autoDelete, arguments: queue.arguments });
    },
    exchanges: async (exchange) => {
      const side = await vhostSide(this.#broker, this.#vhostOf(exchange));
      const { name, type, durable, auto_delete: autoDelete, internal } = exchange;
      const { arguments: table } = exchange;
      await side.declareExchange({ name, type, durable, autoDelete, internal, arguments: table });
    },
    bindings: async (binding) => {
      const side = await vhostSide(this.#broker, this.#vhostOf(binding));
      await side.bind({
        source: binding.source,
        destination: binding.destination,
        destinationType: binding.destination_type,
        routingKey: binding.routing_key,
        arguments: binding.arguments,
      });
    },
  };

  /** Policies are no thing of their own here: the queues get the settings. */
  async #applyPolicies(): Promise<void> {
    const applied = new Map<ReadPolicy, number>();
    for (const [vhost, policies] of this.#policies) {
      const side = await vhostSide(this.#broker, vhost);
      await inSteps(side.queues(), AT_ONCE, async (queue) => {
        const read = policyFor(queue, policies, matchesGlob);
        if (read === undefined) return;
        const settings = effectiveSettings(queue, read.settings);
        if (Object.keys(settings).length === 0) return;
        const refusal = await refusalOf(() => side.applyPolicy(queue.name, settings));
        if (refusal === null) applied.set(read, (applied.get(read) ?? 0) + 1);
        else this.#leaveOut('policies', read.policy.name, `queue '${queue.name}': ${refusal}`);
      });
    }
    for (const read of [...this.#policies.values()].flat()) {
      const detail =
        `given to the ${applied.get(read) ?? 0} queue(s) that there are, as settings of their own; ` +
        'queues that are made later do not get it';
      this.#change('policies', read.policy.name, detail);
    }
  }

  /** A user without a password cannot log in with one: so nobody knows this one's. */
  #passwordOf(name: string, password: string | undefined): { readonly password?: string } {
    if (password !== undefined) return { password };
    const { accounts } = this.#broker.access;
    if (accounts.user(name) !== undefined) {
      this.#change('users', name, 'the password stays as it is: the file has none');
      return {};
    }
    this.#change('users', name, 'the file has no password: give the user one');
    return { password: randomBytes(32).toString('base64url') };
  }

  #vhostOf({ vhost }: { readonly vhost?: string | undefined }): string {
    return this.#vhost ?? vhost ?? DEFAULT_VHOST;
  }

  #change(kind: string, name: string, detail: string): void {
    this.#changed.push({ kind, name, detail });
  }

  #leaveOut(kind: string, name: string, detail: string): void {
    this.#leftOut.push({ kind, name, detail });
  }

  #leaveOutKind(kind: string, entries: unknown, why: string): void {
    if (!Array.isArray(entries)) return;
    for (const entry of entries) this.#leaveOut(kind, nameOf(entry), why);
  }
}

/** Works on so many items at once. */
async function inSteps<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < items.length; i += atOnce) {
    await Promise.all(items.slice(i, i + atOnce).map(work));
  }
}

/** @returns why it was refused; null: it was not @throws what goes wrong for the rest, too */
async function refusalOf(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!(error instanceof MessageQueueError) || error instanceof StorageError) throw error;
    return error.message;
  }
}

function administratorsFirst(users: readonly Entries['users'][]): Entries['users'][] {
  const rank = ({ tags }: Entries['users']): number => Number(!isAdministrator(tagsOf(tags)));
  return users.toSorted((a, b) => rank(a) - rank(b));
}

/** What tells an entry from others, as far as it says so. */
function nameOf(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return '';
  const { name, user, vhost, source, destination } = entry as Record<string, unknown>;
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 255) : '?');
  if (typeof name === 'string') return text(name);
  if (user !== undefined) return `${text(user)} in ${text(vhost)}`;
  return source === undefined ? '' : `${text(source)} -> ${text(destination)}`;
}
