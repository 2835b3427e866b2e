import { UserNotFoundError } from '../../../../access/errors.ts';
import type { Permission } from '../../../../access/identity.ts';
import { importPasswordHash } from '../../../../access/passwords.ts';
import { InvalidRequestError } from '../../../../protocols/http/errors.ts';
import { userParams } from '../../../../protocols/http/schemas/access.ts';
import {
  isAdministrator,
  permissionOf,
  permissionRow,
  tagsOf,
  userRow,
} from '../../../../protocols/management/access-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import { permissionBody, userBody } from '../../../../protocols/management/requests.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { MANAGEMENT } from './common.ts';

const admin = { ...MANAGEMENT, rule: { kind: 'admin' } } as const;
const user = { ...admin, url: '/users/:user', params: userParams } as const;
const permission = { ...admin, url: '/permissions/:vhost/:user', params: userParams } as const;

export const managementAccessRoutes: readonly Route[] = [
  defineRoute({
    ...admin,
    id: 'managementUsers',
    method: 'GET',
    url: '/users',
    summary: 'Users',
    responses: { 200: rowsSchema },
    handler: ({ broker }) => broker.access.accounts.listUsers().map(userRow),
  }),
  defineRoute({
    ...user,
    id: 'managementUser',
    method: 'GET',
    summary: 'A user',
    responses: { 200: rowSchema },
    problems: ['USER_NOT_FOUND'],
    handler: ({ broker, params }) => userRow(broker.access.accounts.describeUser(params.user)),
  }),
  defineRoute({
    ...user,
    id: 'managementPutUser',
    method: 'PUT',
    summary: 'Create or change a user',
    description:
      'The tag `administrator` makes an administrator, who may do everything; other tags mean nothing here.',
    body: userBody,
    responses: { 201: null, 204: null },
    problems: ['LAST_ADMIN', 'ACCOUNT_READ_ONLY', 'LIMIT_REACHED'],
    handler: async ({ broker, params, body, reply }) => {
      const { password, password_hash: hash, hashing_algorithm: algorithm } = body;
      if (password !== undefined && hash !== undefined) {
        const detail = 'is there, and a password as well; give one';
        throw new InvalidRequestError([{ field: 'body.password_hash', detail }]);
      }
      const { isNew } = await broker.access.accounts.putUser(params.user, {
        password,
        ...(hash !== undefined && {
          passwordHash: importPasswordHash(algorithm ?? 'rabbit_password_hashing_sha256', hash),
        }),
        admin: isAdministrator(tagsOf(body.tags)),
      });
      return reply.status(isNew ? 201 : 204).send();
    },
  }),
  defineRoute({
    ...user,
    id: 'managementDeleteUser',
    method: 'DELETE',
    summary: 'Delete a user',
    responses: { 204: null },
    problems: ['USER_NOT_FOUND', 'LAST_ADMIN', 'ACCOUNT_READ_ONLY'],
    handler: async ({ broker, params, reply }) => {
      await broker.access.accounts.removeUser(params.user);
      return reply.status(204).send();
    },
  }),
  defineRoute({
    ...user,
    url: `${user.url}/permissions`,
    id: 'managementUserPermissions',
    method: 'GET',
    summary: 'What a user may do in which virtual host',
    responses: { 200: rowsSchema },
    problems: ['USER_NOT_FOUND'],
    handler: ({ broker, params }) => {
      const { name, permissions } = broker.access.accounts.describeUser(params.user);
      return permissions.map((each) => permissionRow(name, each));
    },
  }),
  defineRoute({
    ...admin,
    id: 'managementPermissions',
    method: 'GET',
    url: '/permissions',
    summary: 'What users may do in which virtual host',
    responses: { 200: rowsSchema },
    handler: (call) => permissionRows(call, () => true),
  }),
  defineRoute({
    ...admin,
    id: 'managementVhostPermissions',
    method: 'GET',
    url: '/vhosts/:vhost/permissions',
    summary: 'What users may do in a virtual host',
    responses: { 200: rowsSchema },
    handler: (call) => permissionRows(call, ({ vhost }) => vhost === call.vhost),
  }),
  defineRoute({
    ...permission,
    id: 'managementPermission',
    method: 'GET',
    summary: 'What a user may do in a virtual host',
    responses: { 200: rowSchema },
    problems: ['USER_NOT_FOUND'],
    handler: (call) => permissionRow(call.params.user, permissionIn(call)),
  }),
  defineRoute({
    ...permission,
    id: 'managementPutPermission',
    method: 'PUT',
    summary: 'Say what a user may do in a virtual host',
    description:
      'Regular expressions are taken where globs can say the same: names, lists of names, prefixes.',
    body: permissionBody,
    responses: { 201: null, 204: null },
    problems: ['USER_NOT_FOUND', 'ACCOUNT_READ_ONLY'],
    handler: async ({ broker, vhost, params, body, reply }) => {
      const { accounts } = broker.access;
      const { permissions } = accounts.describeUser(params.user);
      const isNew = !permissions.some((each) => each.vhost === vhost);
      const changed = permissionOf(params.user, vhost, body);
      await accounts.editPermissions(params.user, (present) => [
        ...present.filter((each) => each.vhost !== vhost),
        changed,
      ]);
      return reply.status(isNew ? 201 : 204).send();
    },
  }),
  defineRoute({
    ...permission,
    id: 'managementDeletePermission',
    method: 'DELETE',
    summary: 'Let a user do nothing in a virtual host any more',
    responses: { 204: null },
    problems: ['USER_NOT_FOUND', 'ACCOUNT_READ_ONLY'],
    handler: async (call) => {
      permissionIn(call);
      await call.broker.access.accounts.editPermissions(call.params.user, (present) =>
        present.filter((each) => each.vhost !== call.vhost),
      );
      return call.reply.status(204).send();
    },
  }),
];

function permissionRows({ broker }: Call, isMeant: (one: Permission) => boolean): Row[] {
  return broker.access.accounts
    .listUsers()
    .flatMap(({ name, permissions }) =>
      permissions.filter(isMeant).map((each) => permissionRow(name, each)),
    );
}

/** @throws UserNotFoundError also when the user has none there */
function permissionIn({ broker, vhost, params }: Call<{ user: string }>): Permission {
  const { permissions } = broker.access.accounts.describeUser(params.user);
  const found = permissions.find((each) => each.vhost === vhost);
  if (found === undefined) throw new UserNotFoundError(params.user);
  return found;
}
