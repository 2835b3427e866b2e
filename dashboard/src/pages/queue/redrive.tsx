import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { DeadLetterGroup, QueueInfo } from '../../api/types.ts';
import { RedriveDialog, type Selection } from '../../components/redrive-dialog.tsx';
import { deadLetterQueueOf } from '../../dead-letter-queue.ts';

export interface RedriveProps {
  readonly queue: QueueInfo;
  readonly groups: readonly DeadLetterGroup[];
  /** The queue's own dead letters are shown, wherever they lie. */
  readonly ofDead: boolean;
}

/** Sends back what lies in a dead-letter queue, or what has died in a queue. */
export function Redrive({ queue, groups, ofDead }: RedriveProps): JSX.Element | null {
  const [isAsked, setAsked] = useState(false);
  const { name } = queue;
  const from = ofDead ? deadLetterQueueOf(queue) : name;
  const meant = groups.filter(
    (group) => group.deadLetterQueue === from && (!ofDead || group.queue === name),
  );
  // A dialog that is open says how it went, also when nothing is left.
  if (meant.length === 0 && !isAsked) return null;
  const selection: Selection = ofDead ? { from, queue: name } : { from };
  const count = meant.reduce((sum, group) => sum + group.count, 0);
  return (
    <>
      <button type="button" class="primary" onClick={() => setAsked(true)}>
        Redrive…
      </button>
      {isAsked && (
        <RedriveDialog selections={[selection]} count={count} onClose={() => setAsked(false)} />
      )}
    </>
  );
}
