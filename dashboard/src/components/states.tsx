import type { ComponentChildren, JSX } from 'preact';
import type { Resource } from '../api/use-resource.ts';
import type { Problem } from '../api/types.ts';

/** Nothing there yet: says what to do about it. */
export function Empty(props: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{props.title}</p>
      {props.children}
    </div>
  );
}

/** A line to copy into a terminal or a program. */
export function Example({ code }: { readonly code: string }): JSX.Element {
  return (
    <pre class="example" tabIndex={0} aria-label="Example">
      <code>{code}</code>
    </pre>
  );
}

function ProblemState({ problem }: { readonly problem: Problem }): JSX.Element {
  const { title, detail, code, requestId } = problem;
  return (
    <div class="empty failed" role="alert">
      <p class="empty-title">{problem.status === 403 ? 'You may not see this' : title}</p>
      <p>{detail}</p>
      <p class="faint">
        Code <code>{code}</code>
        {requestId !== undefined && (
          <>
            {' '}
            · look for request <code>{requestId}</code> in the broker's log
          </>
        )}
      </p>
    </div>
  );
}

/** What a resource holds, or why it does not. */
export function Loaded<T>(props: {
  readonly of: Resource<T>;
  readonly children: (data: T) => ComponentChildren;
}): JSX.Element {
  const { data, problem } = props.of;
  if (problem !== null) return <ProblemState problem={problem} />;
  if (data === null) return <p class="loading">Loading…</p>;
  return <>{props.children(data)}</>;
}

/** The address that examples name. */
export function apiBase(): string {
  return `${window.location.origin}/api/v1`;
}
