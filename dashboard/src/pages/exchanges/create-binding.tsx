import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import type { Exchange } from '../../api/types.ts';
import { Dialog } from '../../components/dialog.tsx';
import { FormProblem, SelectField, Submit, TextField, useSubmit } from '../../components/form.tsx';
import { tell } from '../../components/toasts.tsx';
import { pairsOf } from '../../pairs.ts';

export interface CreateBindingProps {
  readonly exchanges: readonly Exchange[];
  readonly onClose: () => void;
}

export function CreateBinding({ exchanges, onClose }: CreateBindingProps): JSX.Element {
  const [exchange, setExchange] = useState(exchanges[0]!.name);
  const [kind, setKind] = useState('queue');
  const [to, setTo] = useState('');
  const [key, setKey] = useState('');
  const isHeaders = exchanges.find(({ name }) => name === exchange)?.type === 'headers';
  const { submit, problem, isBusy } = useSubmit(async () => {
    const target = kind === 'queue' ? { queue: to } : { destinationExchange: to };
    const condition = isHeaders ? { headers: pairsOf(key) ?? {} } : { routingKey: key };
    await send('PUT', inVhost('bindings'), { exchange, ...target, ...condition });
    tell(`${to} is bound to ${exchange}`);
    onClose();
  });
  return (
    <Dialog title="New binding" onClose={onClose}>
      <form onSubmit={submit}>
        <SelectField
          label="From exchange"
          value={exchange}
          onChange={setExchange}
          options={exchanges.map(({ name, type }) => [name, `${name} (${type})`])}
        />
        <SelectField
          label="To a"
          value={kind}
          onChange={setKind}
          options={[
            ['queue', 'queue'],
            ['exchange', 'exchange'],
          ]}
        />
        <TextField label="Named" value={to} onChange={setTo} required />
        <TextField
          label={isHeaders ? 'Headers' : 'Routing key'}
          value={key}
          onChange={setKey}
          help={isHeaders ? 'name=value, separated by commas.' : 'In a topic, * is a word, # any.'}
        />
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <Submit isBusy={isBusy}>Bind</Submit>
        </footer>
      </form>
    </Dialog>
  );
}
