import { effect, type Signal, signal } from '@preact/signals';
import { ApiError, get, global, send, setCsrfToken, whenUnauthenticated } from './client.ts';
import { refreshAll, revision } from './connection.ts';
import { linkIn, navigate, vhost } from '../router.ts';
import type { Identity, Session } from './types.ts';

/** Who looks: undefined until it is known, null when somebody has to log in. */
export const identity: Signal<Identity | null | undefined> = signal(undefined);

/** Asks the broker who we are. */
export function startSession(): void {
  whenUnauthenticated(() => {
    identity.value = null;
  });
  effect(() => {
    // Again when a broker that was away at first is there.
    void revision.value;
    if (identity.peek() === undefined) void whoAmI();
  });
}

function take(session: Session): void {
  setCsrfToken(session.csrfToken);
  identity.value = session.identity;
  const { admin, permissions } = session.identity;
  const hosts = permissions.map((permission) => permission.vhost);
  // Whoever may not enter this virtual host begins in one that they may.
  if (!admin && hosts[0] !== undefined && !hosts.includes(vhost.value)) {
    navigate(linkIn(hosts[0], []));
  }
}

async function whoAmI(): Promise<void> {
  try {
    take(await get<Session>(global('session')));
  } catch (error) {
    // Somebody who may not even know who they are cannot do anything else either.
    identity.value = error instanceof ApiError ? null : identity.value;
  }
}

/** @throws ApiError when the name or the password is wrong */
export async function logIn(user: string, password: string): Promise<void> {
  take(await send<Session>('POST', global('session'), { user, password }));
  refreshAll();
}

export async function logOut(): Promise<void> {
  await send('DELETE', global('session'));
  setCsrfToken(null);
  identity.value = null;
}
