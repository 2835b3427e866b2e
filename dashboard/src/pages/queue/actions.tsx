import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import { refreshAll } from '../../api/connection.ts';
import type { QueueInfo } from '../../api/types.ts';
import { Confirm } from '../../components/dialog.tsx';
import { attempt, tell } from '../../components/toasts.tsx';
import { formatCount, plural } from '../../format.ts';
import { link, navigate } from '../../router.ts';

/** What can be done with a queue as a whole. */
export function Actions({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  const { name, settings, messageCount, leased } = queue;
  const [asked, setAsked] = useState<'purge' | 'delete' | null>(null);
  const close = (): void => setAsked(null);
  const turn = async (): Promise<void> => {
    const verb = settings.paused ? 'resume' : 'pause';
    const done = settings.paused ? `${name} goes on` : `${name} is paused`;
    await attempt(() => send('POST', inVhost('queues', name, verb)), done);
    refreshAll();
  };
  const purge = async (): Promise<void> => {
    const url = inVhost('queues', name, 'purge');
    const { purged } = await send<{ purged: number }>('POST', url);
    tell(`${plural(purged, 'message')} of ${name} purged`);
  };
  const remove = async (): Promise<void> => {
    await send('DELETE', `${inVhost('queues', name)}?force=true`);
    tell(`Queue ${name} is deleted`);
    navigate(link('queues'));
  };
  return (
    <>
      <button type="button" onClick={() => void turn()}>
        {settings.paused ? 'Resume' : 'Pause'}
      </button>
      <button type="button" onClick={() => setAsked('purge')}>
        Purge…
      </button>
      <button type="button" class="danger-text" onClick={() => setAsked('delete')}>
        Delete…
      </button>
      {asked === 'purge' && (
        <Confirm
          title="Purge the queue"
          text={`${plural(messageCount - leased, 'message')} that nobody holds will be gone for good. The ${formatCount(leased)} in flight stay.`}
          typed={name}
          action="Purge"
          onConfirm={purge}
          onClose={close}
        />
      )}
      {asked === 'delete' && (
        <Confirm
          title="Delete the queue"
          text={`The queue, its bindings and ${plural(messageCount, 'message')} will be gone for good.`}
          typed={name}
          action="Delete"
          onConfirm={remove}
          onClose={close}
        />
      )}
    </>
  );
}
