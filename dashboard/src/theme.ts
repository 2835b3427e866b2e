import { effect, type Signal, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'wherry-theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const dark = window.matchMedia('(prefers-color-scheme: dark)');

/** What was chosen. */
export const theme: Signal<Theme> = signal(readTheme());
/** What is shown: for what is drawn on a canvas and cannot follow a style sheet. */
export const isDark: Signal<boolean> = signal(false);

function readTheme(): Theme {
  const stored = window.localStorage.getItem(KEY) as Theme;
  return THEMES.includes(stored) ? stored : 'system';
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
  window.localStorage.setItem(KEY, theme.value);
}

/** Keeps the document's theme in step with the choice and the system. */
export function startTheme(): void {
  const apply = (): void => {
    const { value } = theme;
    document.documentElement.dataset['theme'] =
      value === 'system' ? (dark.matches ? 'dark' : 'light') : value;
    isDark.value = document.documentElement.dataset['theme'] === 'dark';
  };
  effect(apply);
  dark.addEventListener('change', apply);
}
