import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { inVhost, readLines, request } from '../api/client.ts';
import { formatCount, plural } from '../format.ts';
import { Dialog } from './dialog.tsx';
import { FormProblem, Submit, TextField, useSubmit } from './form.tsx';

/** Which dead letters: all of a dead-letter queue, or of those some. */
export interface Selection {
  readonly from: string;
  readonly ids?: readonly string[];
  readonly queue?: string;
  readonly reason?: string;
}

interface Progress {
  readonly moved: number;
  readonly skipped: number;
}

export interface RedriveDialogProps {
  readonly selections: readonly Selection[];
  /** How many dead letters these are. */
  readonly count: number;
  readonly onClose: () => void;
}

/** Sends dead letters back, and tells how far it has come. */
export function RedriveDialog({ onClose, ...asked }: RedriveDialogProps): JSX.Element {
  // What was chosen when it opened: the page behind goes on, and its counts fall meanwhile.
  const [{ selections, count }] = useState(asked);
  const [to, setTo] = useState('');
  const [rate, setRate] = useState('');
  const [progress, setProgress] = useState<Progress | null>(null);
  const [isDone, setDone] = useState(false);
  const [gone] = useState(() => new AbortController());
  useEffect(() => () => gone.abort(), []);
  const { submit, problem, isBusy } = useSubmit(async () => {
    const options = {
      ...(to === '' ? {} : { to }),
      ...(rate === '' ? {} : { rate: Number(rate) }),
    };
    let before: Progress = { moved: 0, skipped: 0 };
    setProgress(before);
    for (const selection of selections) {
      const base = before;
      for await (const line of redrive({ ...selection, ...options }, gone.signal)) {
        before = { moved: base.moved + line.moved, skipped: base.skipped + line.skipped };
        setProgress(before);
      }
    }
    setDone(true);
  });
  return (
    <Dialog title={`Redrive ${plural(count, 'dead letter')}`} onClose={onClose}>
      <form onSubmit={submit}>
        <p>Each goes back to the queue it died in, with its retries counted anew.</p>
        <div class="fields">
          <TextField
            label="To another queue"
            value={to}
            onChange={setTo}
            help="Empty: where it died."
          />
          <TextField
            label="At most a second"
            value={rate}
            onChange={setRate}
            help="Empty: at once."
          />
        </div>
        {progress !== null && <RedriveProgress {...progress} count={count} isDone={isDone} />}
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            {isDone ? 'Close' : 'Cancel'}
          </button>
          {!isDone && <Submit isBusy={isBusy}>Redrive</Submit>}
        </footer>
      </form>
    </Dialog>
  );
}

function RedriveProgress(
  props: Progress & { readonly count: number; readonly isDone: boolean },
): JSX.Element {
  const { moved, skipped, count, isDone } = props;
  return (
    <div class="progress" role="status">
      <progress
        max={Math.max(count, 1)}
        value={isDone ? Math.max(count, 1) : moved + skipped}
        aria-label="Redrive"
      />
      <p>
        {isDone ? 'Done: ' : ''}
        {formatCount(moved)} moved
        {skipped > 0 &&
          `, ${formatCount(skipped)} stay: their queue is gone or full, or somebody holds them`}
      </p>
    </div>
  );
}

/** Ends at the broker, too, when `signal` fires. */
async function* redrive(
  body: object,
  signal: AbortSignal,
): AsyncGenerator<Progress, void, undefined> {
  const url = inVhost('dead-letters', 'redrive');
  const response = await request('POST', url, { body, accept: 'application/x-ndjson', signal });
  for await (const line of readLines<Progress & { error?: { detail: string } }>(response)) {
    if (line.error !== undefined) throw new Error(line.error.detail);
    yield line;
  }
}
