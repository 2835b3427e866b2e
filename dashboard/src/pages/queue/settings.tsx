import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import type { QueueInfo } from '../../api/types.ts';
import { FormProblem, Submit, useSubmit } from '../../components/form.tsx';
import { SettingsFields } from '../../components/settings-fields.tsx';
import { tell } from '../../components/toasts.tsx';
import { changesBetween, type Texts, textsOf } from '../../settings.ts';

/** The queue's settings, to be changed. Only what was changed is sent. */
export function Settings({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  const stored = textsOf(queue.settings);
  const [edited, setEdited] = useState<Texts>({});
  const changes = changesBetween(stored, { ...stored, ...edited });
  const count = Object.keys(changes).length;
  const { submit, problem, isBusy } = useSubmit(async () => {
    await send('PATCH', inVhost('queues', queue.name), changes);
    setEdited({});
    tell(`Settings of ${queue.name} are changed`);
  });
  const change = (texts: Texts): void => {
    const differing = Object.entries(texts).filter(([key, text]) => text !== stored[key]);
    setEdited(Object.fromEntries(differing));
  };
  return (
    <form onSubmit={submit}>
      <SettingsFields
        texts={{ ...stored, ...edited }}
        onChange={change}
        problem={problem}
        isNew={false}
      />
      <p class="faint">
        Durable: {stored['durable'] === 'true' ? 'yes' : 'no'}, partitions: {stored['partitions']}.
        These two cannot be changed. A change rules what is sent from then on.
      </p>
      <FormProblem problem={problem} />
      <footer class="form-foot">
        <Submit isBusy={isBusy || count === 0}>
          {count === 0 ? 'No changes' : `Save ${count === 1 ? 'the change' : `${count} changes`}`}
        </Submit>
        {count > 0 && (
          <button type="button" class="quiet" onClick={() => setEdited({})}>
            Discard
          </button>
        )}
      </footer>
    </form>
  );
}
