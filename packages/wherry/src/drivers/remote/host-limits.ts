import { checkInteger } from '../../core/limits.ts';

/** Everything that can grow has a limit. */
export interface HostLimits {
  /** Most bytes of one call. */
  readonly frameBytes: number;
  /** Most calls of one client that are under way; with more, it is made to wait. */
  readonly callsPerClient: number;
  /** Most bytes of one client's calls under way, and of answers on their way to it. */
  readonly bytesPerClient: number;
  /** Most bytes of all clients' calls under way. */
  readonly bytes: number;
  /** Most clients; one more is refused. */
  readonly clients: number;
  /** Milliseconds for which a client that has no connection may come back to what it began. */
  readonly sessionLifetime: number;
}

const DEFAULTS: HostLimits = {
  frameBytes: 64 * 1024 * 1024,
  callsPerClient: 1_000,
  bytesPerClient: 64 * 1024 * 1024,
  bytes: 256 * 1024 * 1024,
  clients: 10_000,
  sessionLifetime: 60_000,
};

/** @throws ValidationError */
export function checkHostLimits(limits: Partial<HostLimits> = {}): HostLimits {
  const merged = { ...DEFAULTS, ...limits };
  for (const [name, value] of Object.entries(merged)) {
    checkInteger(value, `limits.${name}`, 1, 2 ** 31 - 1);
  }
  return merged;
}
