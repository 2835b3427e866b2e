import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

let isFirst = true;

/** A page: its title goes to the window, and takes the focus when one comes from another page. */
export function Page(props: {
  readonly title: string;
  readonly kind?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { title, kind, actions, children } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Wherry`;
    if (!isFirst) heading.current?.focus();
    isFirst = false;
  }, [title]);
  return (
    <main id="main">
      <header class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {kind !== undefined && <span class="kind">{kind}</span>}
          <span class="name">{title}</span>
        </h1>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}
