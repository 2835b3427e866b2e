import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { global, send } from '../../api/client.ts';
import type { Permission, Token, Tokens as TokenList } from '../../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../../api/use-resource.ts';
import { Confirm, Dialog } from '../../components/dialog.tsx';
import {
  CheckField,
  FormProblem,
  SelectField,
  Submit,
  TextField,
  useSubmit,
} from '../../components/form.tsx';
import { Empty, Example, Loaded, apiBase } from '../../components/states.tsx';
import { type Column, Table } from '../../components/table.tsx';
import { tell } from '../../components/toasts.tsx';
import { formatRelative, formatTime } from '../../format.ts';
import { PermissionsCell, PermissionsFields, tidied } from './permissions.tsx';

const LIFETIMES = [
  ['', 'never'],
  ['1d', 'in a day'],
  ['30d', 'in 30 days'],
  ['365d', 'in a year'],
] as const;

export function Tokens(): JSX.Element {
  const tokens = useResource<TokenList>(global('tokens'), SLOW_POLL_MS);
  const [isCreating, setCreating] = useState(false);
  const [doomed, setDoomed] = useState<string | null>(null);
  const revoke = async (): Promise<void> => {
    await send('DELETE', global('tokens', doomed!));
    tell(`Token ${doomed} is revoked`);
  };
  return (
    <>
      <div class="toolbar">
        <p class="faint">For programs. A token is shown once, when it is made.</p>
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          New token
        </button>
      </div>
      <Loaded of={tokens}>
        {({ tokens: rows }) =>
          rows.length === 0 ? (
            <Empty title="There are no tokens" />
          ) : (
            <Table
              caption="Tokens"
              columns={columns(setDoomed)}
              rows={rows}
              rowKey={({ name }) => name}
            />
          )
        }
      </Loaded>
      {isCreating && <CreateToken onClose={() => setCreating(false)} />}
      {doomed !== null && (
        <Confirm
          title="Revoke the token"
          text="Whatever uses it is refused from now on."
          typed={doomed}
          action="Revoke"
          onConfirm={revoke}
          onClose={() => setDoomed(null)}
        />
      )}
    </>
  );
}

function columns(revoke: (name: string) => void): readonly Column<Token>[] {
  return [
    { key: 'name', title: 'Token', cell: ({ name }) => <span class="name strong">{name}</span> },
    {
      key: 'ends',
      title: 'Ends in',
      cell: ({ lastFour }) => (lastFour === null ? '' : <code>…{lastFour}</code>),
      wide: true,
    },
    { key: 'may', title: 'May', cell: (token) => <PermissionsCell {...token} /> },
    {
      key: 'expires',
      title: 'Expires',
      cell: ({ expiresAt }) =>
        expiresAt === null ? (
          'never'
        ) : (
          <span title={formatTime(expiresAt)}>{formatRelative(expiresAt)}</span>
        ),
      wide: true,
    },
    {
      key: 'actions',
      title: 'Actions',
      cell: ({ name, source }) =>
        source === 'config' ? (
          <span class="faint">from the configuration</span>
        ) : (
          <button type="button" class="small danger-text" onClick={() => revoke(name)}>
            Revoke…<span class="unseen"> {name}</span>
          </button>
        ),
      align: 'right',
    },
  ];
}

function CreateToken({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [admin, setAdmin] = useState(false);
  const [lifetime, setLifetime] = useState('');
  const [permissions, setPermissions] = useState<readonly Permission[]>([]);
  const [secret, setSecret] = useState<string | null>(null);
  const { submit, problem, isBusy } = useSubmit(async () => {
    const expiry = lifetime === '' ? {} : { expiresIn: lifetime };
    const body = { name, admin, permissions: tidied(permissions), ...expiry };
    const made = await send<{ secret: string }>('POST', global('tokens'), body);
    setSecret(made.secret);
  });
  if (secret !== null) return <Secret name={name} secret={secret} onClose={onClose} />;
  return (
    <Dialog title="New token" wide onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} required />
        <SelectField label="Expires" value={lifetime} onChange={setLifetime} options={LIFETIMES} />
        <CheckField label="Administrator: may do everything" checked={admin} onChange={setAdmin} />
        {!admin && <PermissionsFields permissions={permissions} onChange={setPermissions} />}
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <Submit isBusy={isBusy}>Create</Submit>
        </footer>
      </form>
    </Dialog>
  );
}

function Secret(props: {
  readonly name: string;
  readonly secret: string;
  readonly onClose: () => void;
}): JSX.Element {
  const { name, secret, onClose } = props;
  return (
    <Dialog title={`Token ${name}`} wide onClose={onClose}>
      <p>Keep it now: it is not shown again.</p>
      <p class="secret">
        <code>{secret}</code>
        <button type="button" class="small" onClick={() => void copy(secret)}>
          Copy
        </button>
      </p>
      <Example code={`curl -H 'authorization: Bearer ${secret}' ${apiBase()}/queues`} />
      <footer class="dialog-foot">
        <button type="button" class="primary" onClick={onClose}>
          I have it
        </button>
      </footer>
    </Dialog>
  );
}

/** Browsers give the clipboard only to pages of this machine and to those that came over TLS. */
async function copy(secret: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(secret);
    tell('The token is copied');
  } catch {
    tell('The browser does not let this page copy: select the token instead.', 'failed');
  }
}
