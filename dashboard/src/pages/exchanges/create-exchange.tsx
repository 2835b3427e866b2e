import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import { Dialog } from '../../components/dialog.tsx';
import {
  CheckField,
  FormProblem,
  SelectField,
  Submit,
  TextField,
  useSubmit,
} from '../../components/form.tsx';
import { tell } from '../../components/toasts.tsx';

const TYPES = [
  ['direct', 'direct: the routing key is equal'],
  ['topic', 'topic: the routing key fits a pattern'],
  ['fanout', 'fanout: to all'],
  ['headers', 'headers: the headers fit'],
] as const;

export function CreateExchange({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [type, setType] = useState('topic');
  const [alternate, setAlternate] = useState('');
  const [internal, setInternal] = useState(false);
  const { submit, problem, isBusy } = useSubmit(async () => {
    const alternateExchange = alternate === '' ? null : alternate;
    await send('PUT', inVhost('exchanges', name), { type, alternateExchange, internal });
    tell(`Exchange ${name} is there`);
    onClose();
  });
  return (
    <Dialog title="New exchange" onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} required />
        <SelectField label="Type" value={type} onChange={setType} options={TYPES} />
        <TextField
          label="Alternate exchange"
          value={alternate}
          onChange={setAlternate}
          help="Gets what fits no binding. Empty: none."
        />
        <CheckField
          label="Internal: reached from other exchanges only"
          checked={internal}
          onChange={setInternal}
        />
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
