import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { FormProblem, useSubmit } from './form.tsx';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

/** A modal dialog: the browser keeps the focus in it and gives it back afterwards. */
export function Dialog({ title, onClose, wide = false, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    return () => {
      isGone.current = true;
      dialog.close();
      before?.focus();
    };
  }, []);
  // The browser tells of a close later, when something else may stand in this one's place.
  const closed = (): void => {
    if (!isGone.current) onClose();
  };
  return (
    <dialog ref={element} class={wide ? 'wide' : ''} aria-labelledby={titleId} onClose={closed}>
      <header class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <button type="button" class="quiet icon" aria-label="Close" onClick={onClose}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

export interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  /** What has to be typed first. */
  readonly typed: string;
  readonly action: string;
  readonly onConfirm: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before what cannot be undone. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, text, typed, action, onConfirm, onClose } = props;
  const [value, setValue] = useState('');
  const { submit, problem, isBusy } = useSubmit(async () => {
    await onConfirm();
    onClose();
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{text}</p>
        <label class="field">
          <span>
            Type <strong class="name">{typed}</strong> to confirm
          </span>
          <input
            value={value}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={value !== typed || isBusy}>
            {action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
