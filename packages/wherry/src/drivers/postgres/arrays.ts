/** Arrays as PostgreSQL writes and reads them (its documentation, section 8.15.6). */

type Item = string | number | boolean | null;

/** @returns the array, or null when all its items are */
export function sqlArray(items: readonly Item[]): string | null {
  return items.every((item) => item === null) ? null : sqlList(items);
}

export function sqlList(items: readonly Item[]): string {
  return `{${items.map(sqlItem).join(',')}}`;
}

function sqlItem(item: Item): string | number | boolean {
  if (typeof item === 'string') return `"${item.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  return item ?? 'NULL';
}

/** @param text an array of numbers */
export function numbersIn(text: string): number[] {
  return text === '{}' ? [] : text.slice(1, -1).split(',').map(Number);
}

/** @param text an array of words that need no quotes, and nulls */
export function wordsIn(text: string): string[] {
  return text === '{}' ? [] : text.slice(1, -1).split(',');
}
