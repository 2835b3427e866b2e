import type { Action, Identity } from './identity.ts';

/** By this name the default exchange is written to, as in RabbitMQ. */
export const DEFAULT_EXCHANGE_NAME = 'amq.default';

/**
 * What has to be writable for dead letters to go to this exchange: the default one goes by the key
 * alone, and without one of its own that is anybody's.
 */
export function deadLetterTarget(exchange: string, routingKey: string | null | undefined): string {
  return exchange === '' ? (routingKey ?? DEFAULT_EXCHANGE_NAME) : exchange;
}

/** Whether the identity may do `action` to what has this name in the virtual host. */
export function isAllowed(
  identity: Identity,
  vhost: string,
  action: Action,
  name: string,
): boolean {
  if (identity.admin) return true;
  return identity.permissions.some(
    (permission) =>
      permission.vhost === vhost && permission[action].some((glob) => matchesGlob(glob, name)),
  );
}

/** Whether the identity may do anything in the virtual host. */
export function mayEnter(identity: Identity, vhost: string): boolean {
  if (identity.admin) return true;
  return identity.permissions.some(
    ({ vhost: other, configure, write, read }) =>
      other === vhost && configure.length + write.length + read.length > 0,
  );
}

/**
 * Whether a name is one of a pattern's: `*` stands for any run of characters, everything else for
 * itself. No regular expression is made of either, and the time is at most the product of the
 * lengths: neither a name nor a pattern can say more than it should, or take long.
 */
export function matchesGlob(glob: string, name: string): boolean {
  let at = 0;
  let of = 0;
  /** Where the last `*` stood, and how much of the name it has taken. */
  let star = -1;
  let taken = 0;
  while (at < name.length) {
    if (glob[of] === '*') {
      star = of;
      taken = at;
      of += 1;
    } else if (glob[of] === name[at]) {
      of += 1;
      at += 1;
    } else if (star >= 0) {
      // The last one takes a character more; those before it need not change.
      taken += 1;
      at = taken;
      of = star + 1;
    } else return false;
  }
  while (glob[of] === '*') of += 1;
  return of === glob.length;
}
