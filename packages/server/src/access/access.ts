import type { TopologyStore } from 'wherry';
import { Accounts, type AccountsConfig } from './accounts.ts';
import { Authenticator } from './authenticator.ts';
import { HostPolicy } from './hosts.ts';
import type { Identity } from './identity.ts';
import { Passwords, type PasswordOptions } from './passwords.ts';
import { Sessions } from './sessions.ts';
import { LoginThrottle } from './throttle.ts';

/** Who may do what on a broker, and how it is found out. */
export interface Access {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly authenticator: Authenticator;
  readonly hosts: HostPolicy;
  /**
   * Calls back once, as soon as somebody who was let in would not be let in any more, or with other
   * rights: for connections that stay open.
   * @returns how to stop
   */
  readonly whenRevoked: (identity: Identity, revoked: () => void) => () => void;
  close(): void;
}

export interface AccessOptions extends AccountsConfig {
  /** Of the default virtual host's store. */
  readonly topology: TopologyStore;
  /** The broker listens on loopback only. */
  readonly isLocal: boolean;
  /** It speaks TLS itself. */
  readonly tls: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly loginsPerMinute: number;
  readonly passwords?: PasswordOptions | undefined;
  readonly now: () => number;
}

/** A token that has expired is noticed on an open connection after so long. */
const LOOK_AGAIN_MS = 30_000;

/** @throws ValidationError when an account of the configuration is wrong @throws StorageError */
export async function openAccess(options: AccessOptions): Promise<Access> {
  const { topology, now } = options;
  const passwords = new Passwords(options.passwords);
  const accounts = new Accounts({ topology, passwords, now });
  const sessions = new Sessions({ topology, findUser: (name) => accounts.user(name), now });
  const close = (): void => {
    accounts.close();
    sessions.close();
  };
  try {
    await accounts.open();
    await sessions.open();
    await accounts.configure(options);
  } catch (error) {
    close();
    throw error;
  }
  const throttle = new LoginThrottle({ perMinute: options.loginsPerMinute, now });
  const allowsAnonymous = options.isLocal;
  const parts = { accounts, sessions, passwords, throttle, allowsAnonymous, now };
  const authenticator = new Authenticator(parts);
  const whenRevoked: Access['whenRevoked'] = (identity, revoked) => {
    const look = (): void => {
      if (authenticator.isPresent(identity)) return;
      stop();
      revoked();
    };
    // Of what ends by its time nobody tells.
    const timer = setInterval(look, LOOK_AGAIN_MS).unref();
    const stops = [accounts.watch(look), sessions.watch(look)];
    const stop = (): void => {
      clearInterval(timer);
      for (const one of stops) one();
    };
    return stop;
  };
  return { accounts, sessions, authenticator, hosts: new HostPolicy(options), whenRevoked, close };
}
