import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

export interface TabsProps<Key extends string> {
  readonly label: string;
  readonly tabs: readonly (readonly [key: Key, title: string])[];
  readonly chosen: Key;
  readonly onChoose: (key: Key) => void;
  readonly children: ComponentChildren;
}

/** Tabs as the ARIA practices have them: arrows move, only the chosen one is in the tab order. */
export function Tabs<Key extends string>(props: TabsProps<Key>): JSX.Element {
  const { label, tabs, chosen, onChoose, children } = props;
  const id = useId();
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = tabs.findIndex(([key]) => key === chosen);
    const [next] = tabs[(at + step + tabs.length) % tabs.length]!;
    onChoose(next);
    document.querySelector<HTMLElement>(`#${CSS.escape(`${id}-${next}`)}`)?.focus();
  };
  return (
    <section class="card tabbed">
      <div role="tablist" aria-label={label} class="tabs" onKeyDown={onKeyDown}>
        {tabs.map(([key, title]) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`${id}-${key}`}
            aria-selected={key === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={key === chosen ? 0 : -1}
            onClick={() => onChoose(key)}
          >
            {title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>
        {children}
      </div>
    </section>
  );
}
