import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { global, send } from '../../api/client.ts';
import { identity } from '../../api/session.ts';
import type { Permission, User, Users as UserList } from '../../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../../api/use-resource.ts';
import { Confirm, Dialog } from '../../components/dialog.tsx';
import { CheckField, FormProblem, Submit, TextField, useSubmit } from '../../components/form.tsx';
import { Empty, Loaded } from '../../components/states.tsx';
import { type Column, Table } from '../../components/table.tsx';
import { tell } from '../../components/toasts.tsx';
import { PermissionsCell, PermissionsFields, tidied } from './permissions.tsx';

export function Users(): JSX.Element {
  const users = useResource<UserList>(global('users'), SLOW_POLL_MS);
  const [edited, setEdited] = useState<User | 'new' | null>(null);
  const [doomed, setDoomed] = useState<string | null>(null);
  const remove = async (): Promise<void> => {
    await send('DELETE', global('users', doomed!));
    tell(`User ${doomed} is deleted`);
  };
  return (
    <>
      <div class="toolbar">
        <p class="faint">
          People who log in here, and programs that use HTTP basic authentication.
        </p>
        <button type="button" class="primary" onClick={() => setEdited('new')}>
          New user
        </button>
      </div>
      <Loaded of={users}>
        {({ users: rows }) =>
          rows.length === 0 ? (
            <NoUsers />
          ) : (
            <Table
              caption="Users"
              columns={columns(setEdited, setDoomed)}
              rows={rows}
              rowKey={({ name }) => name}
            />
          )
        }
      </Loaded>
      {edited !== null && (
        <EditUser user={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />
      )}
      {doomed !== null && (
        <Confirm
          title="Delete the user"
          text="They are logged out everywhere, at once."
          typed={doomed}
          action="Delete"
          onConfirm={remove}
          onClose={() => setDoomed(null)}
        />
      )}
    </>
  );
}

function NoUsers(): JSX.Element {
  return (
    <Empty title="There are no users: whoever reaches this broker may do everything">
      <p>
        That is so on this machine only. Create an administrator to close the door; from then on
        everybody logs in.
      </p>
    </Empty>
  );
}

function columns(
  edit: (user: User) => void,
  remove: (name: string) => void,
): readonly Column<User>[] {
  return [
    { key: 'name', title: 'User', cell: ({ name }) => <span class="name strong">{name}</span> },
    { key: 'may', title: 'May', cell: (user) => <PermissionsCell {...user} /> },
    {
      key: 'actions',
      title: 'Actions',
      cell: (user) =>
        user.source === 'config' ? (
          <span class="faint">from the configuration</span>
        ) : (
          <span class="actions">
            <button type="button" class="small" onClick={() => edit(user)}>
              Change…<span class="unseen"> {user.name}</span>
            </button>
            <button type="button" class="small danger-text" onClick={() => remove(user.name)}>
              Delete…<span class="unseen"> {user.name}</span>
            </button>
          </span>
        ),
      align: 'right',
    },
  ];
}

function EditUser(props: {
  readonly user: User | null;
  readonly onClose: () => void;
}): JSX.Element {
  const { user, onClose } = props;
  const [name, setName] = useState(user?.name ?? '');
  const [password, setPassword] = useState('');
  const [admin, setAdmin] = useState(user?.admin ?? identity.value?.kind === 'anonymous');
  const [permissions, setPermissions] = useState<readonly Permission[]>(user?.permissions ?? []);
  const { submit, problem, isBusy } = useSubmit(async () => {
    const secret = password === '' ? {} : { password };
    const body = { ...secret, admin, permissions: tidied(permissions) };
    await send('PUT', global('users', name), body);
    tell(`User ${name} is ${user === null ? 'there' : 'changed'}`);
    onClose();
  });
  return (
    <Dialog title={user === null ? 'New user' : `User ${user.name}`} wide onClose={onClose}>
      <form onSubmit={submit} autocomplete="off">
        {user === null && <TextField label="Name" value={name} onChange={setName} required />}
        <TextField
          label={user === null ? 'Password' : 'New password'}
          type="password"
          value={password}
          onChange={setPassword}
          required={user === null}
          autocomplete="new-password"
          {...(user === null ? {} : { help: 'Empty: it stays. A new one ends all sessions.' })}
        />
        <CheckField label="Administrator: may do everything" checked={admin} onChange={setAdmin} />
        {!admin && <PermissionsFields permissions={permissions} onChange={setPermissions} />}
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <Submit isBusy={isBusy}>{user === null ? 'Create' : 'Save'}</Submit>
        </footer>
      </form>
    </Dialog>
  );
}
