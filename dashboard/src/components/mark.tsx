import type { JSX } from 'preact';

/** A sailing barge. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path class="sail" d="M16 5v15M16 6l9 12h-9" />
      <path class="hull" d="M5 20.5h22c-1.5 4-4.500 6-8 6h-6c-3.500 0-6.500-2-8-6z" />
    </svg>
  );
}
