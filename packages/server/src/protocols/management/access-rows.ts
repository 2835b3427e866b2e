import { ValidationError } from 'wherry';
import type { Row } from './listing.ts';
import { expressionOf, globsOf, PatternError } from './permission-patterns.ts';

/** What a user may do in one virtual host, in globs. */
interface Globs {
  readonly vhost: string;
  readonly configure: readonly string[];
  readonly write: readonly string[];
  readonly read: readonly string[];
}

/** The same in regular expressions, as RabbitMQ has it. */
export interface Expressions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

const ACTIONS = ['configure', 'write', 'read'] as const;

/** A permission as `GET /api/permissions` shows it. */
export function permissionRow(user: string, permission: Globs): Row {
  const { vhost, configure, write, read } = permission;
  return {
    user,
    vhost,
    configure: expressionOf(configure),
    write: expressionOf(write),
    read: expressionOf(read),
  };
}

/** @throws ValidationError that names the permission, and says what to write instead */
export function permissionOf(
  user: string,
  vhost: string,
  expressions: Expressions,
): { vhost: string; configure: string[]; write: string[]; read: string[] } {
  const globs = { vhost, configure: [] as string[], write: [] as string[], read: [] as string[] };
  for (const action of ACTIONS) {
    try {
      globs[action] = globsOf(expressions[action]);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new ValidationError(
        `Permission '${action}' of user '${user}' in the virtual host '${vhost}': ${error.message}`,
      );
    }
  }
  return globs;
}

const ADMINISTRATOR = 'administrator';

/** A user as `GET /api/users` shows it: of passwords, nothing is told. */
export function userRow({ name, admin }: { readonly name: string; readonly admin: boolean }): Row {
  return {
    name,
    password_hash: '',
    // RabbitMQ takes it as a user without a password.
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: admin ? [ADMINISTRATOR] : [],
    limits: {},
  };
}

/** @param tags a list, or a text with commas, as older clients send it */
export function tagsOf(tags: string | readonly string[]): string[] {
  const list = typeof tags === 'string' ? tags.split(',') : tags;
  return list.map((tag) => tag.trim()).filter((tag) => tag !== '');
}

export function isAdministrator(tags: readonly string[]): boolean {
  return tags.includes(ADMINISTRATOR);
}
