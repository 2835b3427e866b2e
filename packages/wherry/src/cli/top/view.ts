import { type Cell, formatTable, printable, shorten } from '../table.ts';
import { formatBytes, formatDuration, plural } from '../units.ts';
import type { QueueRow, Sample } from './sample.ts';

/** What the person at the keys chose. */
export interface ViewState {
  /** An index into {@link COLUMNS}. */
  readonly sortBy: number;
  readonly descending: boolean;
  /** The first row shown. */
  readonly offset: number;
}

interface Column {
  readonly heading: string;
  readonly cell: (row: QueueRow) => Cell;
  readonly order: (row: QueueRow) => number | string;
}

const NAME_WIDTH = 40;

const rate = (value: number | null): Cell =>
  value === null ? null : Math.round(value).toLocaleString('en-US');

export const COLUMNS: readonly Column[] = [
  { heading: 'QUEUE', cell: ({ name }) => shorten(name, NAME_WIDTH), order: ({ name }) => name },
  { heading: 'READY', cell: ({ ready }) => ready, order: ({ ready }) => ready },
  { heading: 'SCHEDULED', cell: ({ scheduled }) => scheduled, order: ({ scheduled }) => scheduled },
  { heading: 'LEASED', cell: ({ leased }) => leased, order: ({ leased }) => leased },
  { heading: 'IN/S', cell: ({ inRate }) => rate(inRate), order: ({ inRate }) => inRate ?? -1 },
  { heading: 'OUT/S', cell: ({ outRate }) => rate(outRate), order: ({ outRate }) => outRate ?? -1 },
  {
    heading: 'GROWTH/S',
    cell: ({ growth }) => rate(growth),
    order: ({ growth }) => growth ?? -Infinity,
  },
  {
    heading: 'OLDEST',
    cell: ({ oldestAge }) => formatDuration(oldestAge),
    order: ({ oldestAge }) => oldestAge ?? -1,
  },
  { heading: 'SIZE', cell: ({ bytes }) => formatBytes(bytes), order: ({ bytes }) => bytes },
  { heading: 'CONSUMERS', cell: ({ consumers }) => consumers, order: ({ consumers }) => consumers },
  {
    heading: 'STATE',
    cell: ({ paused }) => (paused ? 'paused' : 'open'),
    order: ({ paused }) => (paused ? 1 : 0),
  },
];

/** Those with most messages ready come first. */
export const FIRST_VIEW: ViewState = { sortBy: 1, descending: true, offset: 0 };

/** Lines around the table. */
const FRAME_LINES = 3;

/** @returns how many rows of the table a screen of this height shows */
export function rowsShown(height: number): number {
  return Math.max(1, height - FRAME_LINES);
}

/** @returns the queues in the chosen order; those that are equal by name */
export function sortRows(queues: readonly QueueRow[], state: ViewState): QueueRow[] {
  const column = COLUMNS[state.sortBy]!;
  const sign = state.descending ? -1 : 1;
  return queues.toSorted((a, b) => {
    const [first, second] = [column.order(a), column.order(b)];
    if (first === second) return a.name < b.name ? -1 : 1;
    return first < second ? -sign : sign;
  });
}

/** @returns the table of a sample, its lines ended by newlines */
export function formatSample(
  rows: readonly QueueRow[],
  state: ViewState,
  styleHeading: (text: string) => string,
): string {
  const arrow = state.descending ? '▼' : '▲';
  const columns = COLUMNS.map(({ heading, cell }, at) => [
    at === state.sortBy ? `${heading}${arrow}` : heading,
    cell,
  ]);
  return formatTable(
    rows,
    Object.fromEntries(columns) as Record<string, Column['cell']>,
    styleHeading,
  );
}

export interface Screen {
  readonly width: number;
  readonly height: number;
}

/**
 * A whole screen.
 * @param notice what went wrong at the last look; null: nothing
 */
export function formatScreen(
  { queues, time }: Sample,
  state: ViewState,
  screen: Screen,
  notice: string | null,
  styleHeading: (text: string) => string,
): string[] {
  const messages = queues.reduce(
    (sum, { ready, scheduled, leased }) => sum + ready + scheduled + leased,
    0,
  );
  const title =
    `wherry top   ${new Date(time).toISOString().slice(11, 19)} UTC   ` +
    `${plural(queues.length, 'queue')}   ${plural(messages, 'message')}`;
  const sorted = sortRows(queues, state);
  const visible = sorted.slice(state.offset, state.offset + rowsShown(screen.height));
  const [heading = '', ...rows] = formatSample(visible, state, (text) => text).split('\n');
  const keys = 'q quit   s, ← → sort   r reverse   ↑ ↓ scroll';
  const body = rows.slice(0, visible.length);
  const blank = Array.from({ length: rowsShown(screen.height) - body.length }, () => '');
  const footer = notice === null ? keys : `error: ${printable(notice)}`;
  const cut = (line: string): string => shorten(line, screen.width);
  return [cut(title), styleHeading(cut(heading)), ...body.map(cut), ...blank, cut(footer)];
}

/** @returns the state after a key was pressed, or null for a key that means nothing */
export function pressKey(
  key: string,
  state: ViewState,
  rows: { readonly total: number; readonly shown: number },
): ViewState | null {
  const scroll = (by: number): ViewState => {
    const last = Math.max(0, rows.total - rows.shown);
    return { ...state, offset: Math.min(last, Math.max(0, state.offset + by)) };
  };
  const sort = (by: number): ViewState => {
    const sortBy = (state.sortBy + by + COLUMNS.length) % COLUMNS.length;
    return { sortBy, descending: sortBy !== 0, offset: 0 };
  };
  const actions: Record<string, () => ViewState> = {
    s: () => sort(1),
    right: () => sort(1),
    left: () => sort(-1),
    r: () => ({ ...state, descending: !state.descending, offset: 0 }),
    up: () => scroll(-1),
    down: () => scroll(1),
    pageup: () => scroll(-rows.shown),
    pagedown: () => scroll(rows.shown),
    home: () => scroll(-Infinity),
    end: () => scroll(Infinity),
  };
  return actions[key]?.() ?? null;
}
