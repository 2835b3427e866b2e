/** What an identity may do with the names of one virtual host. Patterns are globs: `*` is any run. */
export interface Permission {
  readonly vhost: string;
  /** Create, change, delete. */
  readonly configure: readonly string[];
  /** Send to. */
  readonly write: readonly string[];
  /** Receive from, look at. */
  readonly read: readonly string[];
}

export type Action = 'configure' | 'write' | 'read';

/** Who makes a request. */
export interface Identity {
  /** 'anonymous': on loopback, while neither users nor tokens are configured. */
  readonly kind: 'user' | 'token' | 'anonymous';
  readonly name: string;
  /** May do everything, everywhere. */
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
}

/** Whoever asks on loopback while nobody is configured. */
export const ANONYMOUS_ADMIN: Identity = {
  kind: 'anonymous',
  name: 'anonymous',
  admin: true,
  permissions: [],
};
