import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import type { Problem, QueueInfo } from '../../api/types.ts';
import { Example, apiBase } from '../../components/states.tsx';
import {
  Field,
  FormProblem,
  SelectField,
  Submit,
  TextField,
  useSubmit,
} from '../../components/form.tsx';
import { tell } from '../../components/toasts.tsx';
import { pairsOf } from '../../pairs.ts';

type Values = Readonly<Record<string, string>>;

const FIELDS: readonly (readonly [key: string, label: string, help: string])[] = [
  ['priority', 'Priority', '0 to 255; higher first.'],
  ['delay', 'Delay', 'Such as 30s: not before.'],
  ['ttl', 'Time to live', 'Such as 10m: not after.'],
  ['groupId', 'Group', 'One after the other, in order.'],
  ['deduplicationId', 'Deduplication id', 'Sent twice, stored once.'],
  ['correlationId', 'Correlation id', 'What an answer refers to.'],
  ['contentType', 'Content type', 'Of text and bytes.'],
];
const START: Values = { kind: 'json', payload: '{}', headers: '' };

/** Sends one message by hand. */
export function Publish({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  const [values, setValues] = useState<Values>(START);
  const set = (key: string) => (value: string) => setValues({ ...values, [key]: value });
  const { submit, problem, isBusy } = useSubmit(async () => {
    const url = inVhost('queues', queue.name, 'messages');
    const { id, duplicate } = await send<{ id: string; duplicate: boolean }>(
      'POST',
      url,
      messageOf(values),
    );
    tell(duplicate ? `It was there already: ${id}` : `Sent: ${id}`);
  });
  return (
    <form onSubmit={submit}>
      <div class="fields">
        <SelectField
          label="The payload is"
          value={values['kind']!}
          options={[
            ['json', 'JSON'],
            ['text', 'text'],
          ]}
          onChange={set('kind')}
        />
        <TextField
          label="Headers"
          value={values['headers']!}
          placeholder="source=web, attempt=1"
          help="name=value, separated by commas."
          onChange={set('headers')}
        />
      </div>
      <Field
        label="Payload"
        control={(attributes) => (
          <textarea
            {...attributes}
            rows={7}
            class="code"
            spellcheck={false}
            value={values['payload']}
            onInput={(event) => set('payload')(event.currentTarget.value)}
          />
        )}
      />
      <MoreFields values={values} problem={problem} set={set} />
      <FormProblem problem={problem} />
      <footer class="form-foot">
        <Submit isBusy={isBusy}>Publish</Submit>
      </footer>
      <p class="faint">The same from a terminal:</p>
      <Example
        code={`curl -d '{"payload":{}}' -H 'content-type: application/json' \\\n  '${apiBase()}/queues/${encodeURIComponent(queue.name)}/messages'`}
      />
    </form>
  );
}

function MoreFields(props: {
  readonly values: Values;
  readonly problem: Problem | null;
  readonly set: (key: string) => (value: string) => void;
}): JSX.Element {
  const { values, problem, set } = props;
  return (
    <details class="more-fields">
      <summary>More fields</summary>
      <div class="fields">
        {FIELDS.map(([key, label, help]) => (
          <TextField
            key={key}
            label={label}
            help={help}
            value={values[key] ?? ''}
            wrong={problem?.field === `body.${key}`}
            onChange={set(key)}
          />
        ))}
      </div>
    </details>
  );
}

function messageOf(values: Values): Record<string, unknown> {
  const message: Record<string, unknown> = { payload: payloadOf(values) };
  for (const [key] of FIELDS) {
    const text = (values[key] ?? '').trim();
    if (text !== '') message[key] = key === 'priority' ? Number(text) : text;
  }
  const headers = pairsOf(values['headers']!);
  if (headers !== null) message['headers'] = headers;
  return message;
}

function payloadOf({ kind, payload = '' }: Values): unknown {
  if (kind === 'text') return payload;
  try {
    return JSON.parse(payload);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`The payload is not JSON: ${message}. Choose text to send it as it is.`, {
      cause: error,
    });
  }
}
