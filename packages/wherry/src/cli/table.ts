export type Cell = string | number | boolean | null | undefined;

const GAP = '  ';

/**
 * @param columns heading -> what a row shows under it; numbers are set flush right
 * @returns the lines of a table, each ended by a newline
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => Cell>>,
  styleHeading: (text: string) => string,
): string {
  const names = Object.keys(columns);
  const cells = rows.map((row) => names.map((name) => columns[name]?.(row)));
  const texts = cells.map((row) => row.map(cellText));
  const widths = names.map((name, at) =>
    Math.max(name.length, ...texts.map((row) => row[at]?.length ?? 0)),
  );
  const flushRight = names.map((_, at) => cells.every((row) => typeof row[at] !== 'string'));
  const align = (text: string, at: number): string => {
    const width = widths[at] ?? 0;
    if (flushRight[at]) return text.padStart(width);
    return at === names.length - 1 ? text : text.padEnd(width);
  };
  const heading = styleHeading(
    names
      .map((name, at) => align(name, at))
      .join(GAP)
      .trimEnd(),
  );
  const lines = texts.map((row) =>
    row
      .map((text, at) => align(text, at))
      .join(GAP)
      .trimEnd(),
  );
  return [heading, ...lines].map((line) => `${line}\n`).join('');
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '-';
  return typeof cell === 'number' ? cell.toLocaleString('en-US') : printable(String(cell));
}

/**
 * Stored text comes from strangers: an escape sequence in it must not reach the terminal.
 * @returns the text with control characters shown as `\u001b`
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @returns at most `width` characters, with an ellipsis where something was left out */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
