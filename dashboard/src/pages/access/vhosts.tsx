import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { global, send } from '../../api/client.ts';
import type { Vhost, Vhosts as VhostList } from '../../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../../api/use-resource.ts';
import { Confirm, Dialog } from '../../components/dialog.tsx';
import { FormProblem, Submit, TextField, useSubmit } from '../../components/form.tsx';
import { Loaded } from '../../components/states.tsx';
import { type Column, Table } from '../../components/table.tsx';
import { tell } from '../../components/toasts.tsx';
import { linkIn, vhost as present } from '../../router.ts';

export function Vhosts(): JSX.Element {
  const vhosts = useResource<VhostList>(global('vhosts'), SLOW_POLL_MS);
  const [isCreating, setCreating] = useState(false);
  const [doomed, setDoomed] = useState<string | null>(null);
  const remove = async (): Promise<void> => {
    await send('DELETE', `${global('vhosts', doomed!)}?force=true`);
    tell(`Virtual host ${doomed} is deleted`);
  };
  return (
    <>
      <div class="toolbar">
        <p class="faint">
          Each has its own queues, exchanges and schedules, apart from all others.
        </p>
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          New virtual host
        </button>
      </div>
      <Loaded of={vhosts}>
        {({ vhosts: rows }) => (
          <Table
            caption="Virtual hosts"
            columns={columns(setDoomed)}
            rows={rows}
            rowKey={({ name }) => name}
          />
        )}
      </Loaded>
      {isCreating && <CreateVhost onClose={() => setCreating(false)} />}
      {doomed !== null && (
        <Confirm
          title="Delete the virtual host"
          text="All its queues with their messages, its exchanges and schedules will be gone for good."
          typed={doomed}
          action="Delete"
          onConfirm={remove}
          onClose={() => setDoomed(null)}
        />
      )}
    </>
  );
}

function columns(remove: (name: string) => void): readonly Column<Vhost>[] {
  return [
    {
      key: 'name',
      title: 'Virtual host',
      cell: ({ name }) => (
        <>
          <a class="name" href={linkIn(name, ['queues'])}>
            {name}
          </a>
          {name === present.value && <span class="tag ok">shown</span>}
        </>
      ),
    },
    {
      key: 'actions',
      title: 'Actions',
      cell: ({ name }) =>
        name === '/' ? (
          <span class="faint">the default one</span>
        ) : (
          <button type="button" class="small danger-text" onClick={() => remove(name)}>
            Delete…<span class="unseen"> {name}</span>
          </button>
        ),
      align: 'right',
    },
  ];
}

function CreateVhost({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const { submit, problem, isBusy } = useSubmit(async () => {
    await send('PUT', global('vhosts', name), {});
    tell(`Virtual host ${name} is there`);
    onClose();
  });
  return (
    <Dialog title="New virtual host" onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} required />
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
