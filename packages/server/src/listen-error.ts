import { ConfigError } from './config/errors.ts';

/** Where somebody wanted to listen, as the configuration names it. */
export interface ListenPlace {
  readonly host: string;
  /** The key of the port. */
  readonly key: string;
  readonly port: number;
  /** What else can be done when the port is taken. */
  readonly remedy: string;
}

/** @returns the mistake of the configuration by which nobody could listen there; or the same error */
export function describeListenError(
  error: unknown,
  { host, key, port, remedy }: ListenPlace,
): unknown {
  const mistakes: Readonly<Record<string, string>> = {
    EADDRINUSE: `${key} is ${port}: another program listens there. Stop it, ${remedy}.`,
    EACCES: `${key} is ${port}: this user may not listen there. Give a port from 1024 on.`,
    EADDRNOTAVAIL: `host is '${host}': this machine does not have the address.`,
    ENOTFOUND: `host is '${host}': nobody knows the name.`,
  };
  const mistake = mistakes[(error as NodeJS.ErrnoException).code ?? ''];
  return mistake === undefined ? error : new ConfigError([mistake]);
}
