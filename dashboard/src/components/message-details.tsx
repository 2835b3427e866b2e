import type { ComponentChildren, JSX } from 'preact';
import type { Death, StoredMessage } from '../api/types.ts';
import { formatRelative, formatTime } from '../format.ts';
import { Payload } from './payload.tsx';

/** All there is to know about a stored message. */
export function MessageDetails({ message }: { readonly message: StoredMessage }): JSX.Element {
  const headers = Object.entries(message.headers ?? {});
  return (
    <div class="message">
      <Payload message={message} />
      <dl class="facts">
        {factsOf(message).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {headers.length > 0 && (
        <section aria-label="Headers">
          <h3>Headers</h3>
          <dl class="facts">
            {headers.map(([name, value]) => (
              <div key={name}>
                <dt class="name">{name}</dt>
                <dd class="name">{String(value)}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      {message.deaths.length > 0 && (
        <section aria-label="Deaths">
          <h3>Deaths</h3>
          {message.deaths.map((death) => (
            <DeathEntry key={`${death.queue} ${death.reason}`} death={death} />
          ))}
        </section>
      )}
    </div>
  );
}

function DeathEntry({ death }: { readonly death: Death }): JSX.Element {
  const { queue, reason, time, count, error, stack } = death;
  return (
    <div class="death">
      <p>
        <span class="tag warn">{reason}</span> in <strong class="name">{queue}</strong>{' '}
        {formatTime(time)}
        {count > 1 && `, ${count} times`}
      </p>
      {error !== undefined && <p class="error-text">{error}</p>}
      {stack !== undefined && (
        <details>
          <summary>Stack</summary>
          <pre class="stack">{stack}</pre>
        </details>
      )}
    </div>
  );
}

function factsOf(message: StoredMessage): (readonly [string, ComponentChildren])[] {
  const moment = (at: number): string => `${formatTime(at)} (${formatRelative(at)})`;
  const { lease, parked } = message;
  const optional: (readonly [string, ComponentChildren | null | undefined])[] = [
    ['Available', message.state === 'scheduled' ? moment(message.availableAt) : null],
    ['Expires', message.expiresAt === null ? null : moment(message.expiresAt)],
    ['Held by', lease ? `${lease.consumerId}, until ${moment(lease.until)}` : null],
    ['Parked', parked ? `${parked.reason}: waits for room in its dead-letter queue` : null],
    ['Group', message.groupId],
    ['Correlation id', message.correlationId],
    ['Reply to', message.replyTo],
    ['Message id', message.messageId],
    ['Deduplication id', message.deduplicationId],
  ];
  return [
    ['Id', <code key="id">{message.id}</code>],
    ['Stored', moment(message.timestamp)],
    ['Priority', message.priority],
    ['Deliveries', message.deliveryCount],
    ['Retries', message.retryCount],
    ...optional.filter(([, value]) => value !== null && value !== undefined),
  ] as (readonly [string, ComponentChildren])[];
}
