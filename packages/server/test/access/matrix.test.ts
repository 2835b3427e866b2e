/**
 * Every route of the table, asked by everybody: who may, may, and nobody else. What is expected
 * follows from the route's rule; where the rule leaves it to the handler, it stands in HANDLERS, and
 * a route that is missing there fails.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { Broker, Permission } from '../../src/index.ts';
import { pathOf, type Route } from '../../src/servers/http/route.ts';
import { ROUTES } from '../../src/servers/http/route-table.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { basic } from './fixture.ts';

/** Everything that has a name has this one. */
const NAME = 'thing';
const OTHER_VHOST = 'other';

const may = (given: Partial<Permission>): Permission => ({
  vhost: '/',
  configure: [],
  write: [],
  read: [],
  ...given,
});
const ALL = { configure: ['*'], write: ['*'], read: ['*'] };

/** Who asks. */
const ROLES = {
  nobody: null,
  stranger: null,
  /** May do everything in another virtual host. */
  outsider: [may({ ...ALL, vhost: OTHER_VHOST })],
  /** May do everything, in this one, to other names. */
  neighbour: [may({ configure: ['x*'], write: ['x*'], read: ['x*'] })],
  reader: [may({ read: [NAME] })],
  writer: [may({ write: [NAME] })],
  configurer: [may({ configure: [NAME] })],
  admin: null,
} satisfies Record<string, Permission[] | null>;

type Role = keyof typeof ROLES;
const KNOWN = Object.keys(ROLES).filter(
  (role) => role !== 'nobody' && role !== 'stranger',
) as Role[];
const BY_ACTION = { read: 'reader', write: 'writer', configure: 'configurer' } as const;
const INSIDE: Role[] = ['neighbour', 'reader', 'writer', 'configurer', 'admin'];

interface Expectation {
  /** Who may, besides the administrator. */
  readonly roles: Role[];
  readonly path?: string;
  readonly body?: unknown;
}

const binding = { exchange: NAME, queue: NAME, routingKey: 'k' };

/** Of routes whose handler decides. */
const HANDLERS: Record<string, Expectation> = {
  // A single permission is not enough where two names are concerned: only administrators have both here.
  bind: { roles: [], body: binding },
  unbind: { roles: [], body: binding },
  upsertSchedule: {
    roles: ['writer'],
    body: { queue: NAME, every: '1h', message: { payload: 1 } },
  },
  getSchedule: { roles: ['writer'] },
  deleteSchedule: { roles: ['writer'] },
  pauseSchedule: { roles: ['writer'] },
  resumeSchedule: { roles: ['writer'] },
  nextTicks: { roles: ['writer'] },
  listDeadLetters: { roles: ['reader'], path: `/dead-letters?queue=${NAME}` },
  // Those of queues that may be read: the others get an empty list.
  summarizeDeadLetters: { roles: INSIDE },
  redriveDeadLetters: { roles: [], body: { from: NAME, to: NAME } },
  purgeDeadLetters: { roles: ['configurer'], body: { queue: NAME } },
  // A store is all there is in a virtual host; one name is not enough.
  openStore: { roles: [] },
  getVhost: { roles: INSIDE, path: '/vhosts/%2F' },
  managementVhost: { roles: INSIDE, path: '/vhosts/%2F' },
  // Both ends are named, and only administrators may do enough to both.
  managementBindQueue: { roles: [] },
  managementUnbindQueue: { roles: [] },
  managementBindExchange: { roles: [] },
  managementUnbindExchange: { roles: [] },
  // Its queue has a name of its own.
  managementAliveness: { roles: [] },
};

/** Whom a route lets in. */
function allowedBy(route: Route): Role[] {
  const { rule } = route;
  switch (rule.kind) {
    case 'public':
      return Object.keys(ROLES) as Role[];
    case 'authenticated':
      return KNOWN;
    case 'admin':
      return ['admin'];
    case 'vhost':
      return INSIDE;
    case 'resource':
      return [BY_ACTION[rule.action], 'admin'];
    case 'handler': {
      const handled = HANDLERS[route.id];
      assert.ok(handled, `${route.id} decides by itself, and HANDLERS does not say for whom`);
      return [...handled.roles, 'admin'];
    }
  }
}

const credentials = new Map<Role, string>();
let broker: Broker;

before(async () => {
  broker = await startBroker({
    amqp: { enabled: true, port: 0 },
    users: [{ name: 'root', password: 'correct horse', admin: true }],
    limits: { loginsPerMinute: 10_000 },
  });
  credentials.set('admin', basic('root', 'correct horse'));
  credentials.set('stranger', basic('root', 'wrong horse'));
  const root = new Client(broker, { authorization: credentials.get('admin')! });
  await root.call('PUT', `vhosts/${OTHER_VHOST}`);
  for (const [role, permissions] of Object.entries(ROLES)) {
    if (permissions === null) continue;
    const body = { name: role, permissions };
    const { secret } = await root.call<{ secret: string }>('POST', 'tokens', body);
    credentials.set(role as Role, `Bearer ${secret}`);
  }
});
after(() => broker.close({ deadline: 0 }));

/** Makes what the routes are about: those that were let in may have deleted it. */
async function prepare(): Promise<void> {
  const root = new Client(broker, { authorization: credentials.get('admin')! });
  for (const vhost of ['', `vhosts/${OTHER_VHOST}/`]) {
    await root.call('PUT', `${vhost}queues/${NAME}`, {});
    await root.call('PUT', `${vhost}exchanges/${NAME}`, { type: 'direct' });
    const schedule = { queue: NAME, every: '1h', message: { payload: 1 } };
    await root.call('PUT', `${vhost}schedules/${NAME}`, schedule);
  }
}

/** Whether the same can be asked of another virtual host. */
function isInVhost(route: Route): boolean {
  return route.scope === 'vhost' || route.url.includes(':vhost');
}

function urlOf(route: Route, vhost: string | null): string {
  const { scope } = route;
  const url = (HANDLERS[route.id]?.path ?? route.url)
    .replace(':vhost', vhost ?? '%2F')
    .replaceAll(/:\w+/g, NAME);
  if (scope !== 'vhost' || vhost === null) return broker.url + pathOf({ scope, url });
  return `${broker.url}/api/v1/vhosts/${vhost}${url}`;
}

/** @returns the status of the answer, whose body nobody waits for */
async function ask(route: Route, role: Role, vhost: string | null): Promise<number> {
  const authorization = credentials.get(role);
  const hasBody = ['PUT', 'POST', 'PATCH'].includes(route.method) || HANDLERS[route.id]?.body;
  const controller = new AbortController();
  const response = await fetch(urlOf(route, vhost), {
    method: route.method,
    signal: controller.signal,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(hasBody !== false && hasBody !== undefined && { 'content-type': 'application/json' }),
    },
    ...(hasBody !== false &&
      hasBody !== undefined && { body: JSON.stringify(HANDLERS[route.id]?.body ?? {}) }),
  });
  controller.abort();
  return response.status;
}

function expected(role: Role, allowed: readonly Role[]): 'let in' | 401 | 403 {
  if (allowed.includes(role)) return 'let in';
  return role === 'nobody' || role === 'stranger' ? 401 : 403;
}

const outcome = (status: number): number | string =>
  status === 401 || status === 403 ? status : 'let in';

/** Those who are refused first: the others may delete what it is about. */
function sorted(allowed: readonly Role[]): Role[] {
  const isIn = (role: Role): number => Number(allowed.includes(role));
  return (Object.keys(ROLES) as Role[]).toSorted((a, b) => isIn(a) - isIn(b));
}

for (const route of ROUTES) {
  // Logging in needs no right, but the right password.
  if (route.id === 'beginSession') continue;
  test(`${route.method} ${route.url}: ${route.rule.kind}`, async () => {
    await prepare();
    const allowed = allowedBy(route);
    for (const role of sorted(allowed)) {
      const status = await ask(route, role, null);
      assert.equal(outcome(status), expected(role, allowed), `${role}: ${status}`);
    }
    if (!isInVhost(route)) return;
    // In the other virtual host, the outsider is at home, and all others are strangers.
    const there: Role[] = route.rule.kind === 'admin' ? ['admin'] : ['outsider', 'admin'];
    for (const role of sorted(there)) {
      const status = await ask(route, role, OTHER_VHOST);
      assert.equal(outcome(status), expected(role, there), `${role} elsewhere: ${status}`);
    }
    // Whether there is a virtual host of a name, only those are told who might enter it.
    for (const role of ['nobody', 'reader', 'admin'] as const) {
      const status = await ask(route, role, 'missing');
      assert.equal(status, { nobody: 401, reader: 403, admin: 404 }[role], `${role}, missing`);
    }
  });
}

test('each route whose handler decides is expected to, and no other', () => {
  const ids = ROUTES.filter(({ rule }) => rule.kind === 'handler').map(({ id }) => id);
  assert.deepEqual(Object.keys(HANDLERS).toSorted(), ids.toSorted());
});

describe('WebSockets are refused before the upgrade', () => {
  for (const route of ROUTES.filter(({ connect }) => connect !== undefined)) {
    test(route.url, async () => {
      await prepare();
      const allowed = allowedBy(route);
      for (const role of Object.keys(ROLES) as Role[]) {
        const authorization = credentials.get(role);
        const headers = authorization === undefined ? {} : { authorization };
        const socket = new WebSocket(urlOf(route, null).replace('http', 'ws'), { headers });
        const status = await new Promise<number>((resolve, reject) => {
          socket.on('open', () => resolve(101));
          socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode!));
          socket.on('error', reject);
        });
        socket.terminate();
        assert.equal(outcome(status), expected(role, allowed), `${role}: ${status}`);
      }
    });
  }
});
