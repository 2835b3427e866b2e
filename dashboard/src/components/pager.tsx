import type { JSX } from 'preact';

export interface PagerProps {
  /** Of the pages from the second to the one that is shown. */
  readonly cursors: readonly string[];
  /** Of the next page; null: this is the last. */
  readonly next: string | null;
  readonly onTurn: (cursors: readonly string[]) => void;
}

/** Turns pages that are found by cursors, forwards and back. */
export function Pager({ cursors, next, onTurn }: PagerProps): JSX.Element {
  return (
    <nav class="pager" aria-label="Pages">
      <button
        type="button"
        disabled={cursors.length === 0}
        onClick={() => onTurn(cursors.slice(0, -1))}
      >
        Back
      </button>
      <span class="faint">Page {cursors.length + 1}</span>
      <button type="button" disabled={next === null} onClick={() => onTurn([...cursors, next!])}>
        Next
      </button>
    </nav>
  );
}
