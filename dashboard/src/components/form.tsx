import type { ComponentChildren, JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import { ApiError } from '../api/client.ts';
import { refreshAll } from '../api/connection.ts';
import type { Problem } from '../api/types.ts';

export interface Submission {
  readonly submit: (event: Event) => void;
  readonly problem: Problem | null;
  readonly isBusy: boolean;
}

/** Runs a form's work once at a time, keeps what the broker has against it. */
export function useSubmit(work: () => Promise<unknown>): Submission {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      refreshAll();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!isBusy) void run();
  };
  return { submit, problem, isBusy };
}

function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { title: 'Not sent', status: 0, detail, code: 'LOCAL' };
}

/** What is wrong with what was sent, in the broker's words. */
export function FormProblem({ problem }: { readonly problem: Problem | null }): JSX.Element {
  return <div role="alert">{problem !== null && <p class="problem">{problem.detail}</p>}</div>;
}

export interface FieldProps {
  readonly label: string;
  readonly help?: ComponentChildren;
  readonly wrong?: boolean;
  /** Gets what ties the control to its label and its help. */
  readonly control: (attributes: ControlAttributes) => JSX.Element;
}

interface ControlAttributes {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': boolean;
}

export function Field({ label, help, wrong = false, control }: FieldProps): JSX.Element {
  const id = useId();
  const describedBy = help === undefined ? undefined : `${id}-help`;
  return (
    <div class={`field ${wrong ? 'wrong' : ''}`}>
      <label for={id}>{label}</label>
      {control({ id, 'aria-describedby': describedBy, 'aria-invalid': wrong })}
      {help !== undefined && (
        <small id={describedBy} class="help">
          {help}
        </small>
      )}
    </div>
  );
}

export interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly help?: ComponentChildren;
  readonly placeholder?: string;
  readonly type?: 'text' | 'password';
  readonly required?: boolean;
  readonly wrong?: boolean;
  readonly autocomplete?: string;
}

export function TextField(props: TextProps): JSX.Element {
  const { label, value, onChange, help, placeholder, type = 'text', required, wrong } = props;
  const kind = type === 'text' ? { type } : { type };
  return (
    <Field
      label={label}
      {...(help === undefined ? {} : { help })}
      wrong={wrong === true}
      control={(attributes) => (
        <input
          {...attributes}
          {...kind}
          value={value}
          placeholder={placeholder ?? ''}
          required={required === true}
          autocomplete={props.autocomplete ?? 'off'}
          spellcheck={false}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    />
  );
}

export interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string) => void;
  readonly help?: ComponentChildren;
}

export function SelectField({ label, value, options, onChange, help }: SelectProps): JSX.Element {
  return (
    <Field
      label={label}
      {...(help === undefined ? {} : { help })}
      control={(attributes) => (
        <select
          {...attributes}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {options.map(([option, text]) => (
            <option key={option} value={option} selected={option === value}>
              {text}
            </option>
          ))}
        </select>
      )}
    />
  );
}

export interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function CheckField({ label, checked, onChange }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}

/** A button that works for a while. */
export function Submit(props: {
  readonly isBusy: boolean;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <button type="submit" class="primary" disabled={props.isBusy}>
      {props.children}
    </button>
  );
}
