import { ValidationError } from 'wherry';
import * as z from 'zod';

const PAGE_SIZE = { default: 100, max: 500 } as const;

/** How a list is asked for. What is not known is not looked at: clients say all kinds of things here. */
export const listQuery: z.ZodType<ListQuery> = z.looseObject({
  page: z.coerce.number().int().min(1).optional(),
  page_size: z.coerce.number().int().min(1).max(PAGE_SIZE.max).default(PAGE_SIZE.default),
  name: z.string().max(255).optional().describe('Only what has this in its name.'),
  use_regex: z.string().optional(),
  sort: z.string().max(100).optional().describe('A field; `a.b` is a field of a field.'),
  sort_reverse: z.string().optional(),
  columns: z.string().max(1_000).optional().describe('Fields to show, with commas between them.'),
});

export interface ListQuery {
  readonly page?: number | undefined;
  readonly page_size: number;
  readonly name?: string | undefined;
  readonly use_regex?: string | undefined;
  readonly sort?: string | undefined;
  readonly sort_reverse?: string | undefined;
  readonly columns?: string | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

/** A list whole, or a page of it when one is asked for: as RabbitMQ's API has them. */
export type Listed =
  | Row[]
  | {
      readonly total_count: number;
      readonly filtered_count: number;
      readonly item_count: number;
      readonly page: number;
      readonly page_size: number;
      readonly page_count: number;
      readonly items: Row[];
    };

/** Of answers, for the documentation. */
export const listedSchema: z.ZodType = z.union([
  z.array(z.looseObject({})),
  z.looseObject({ items: z.array(z.looseObject({})) }),
]);
export const rowsSchema: z.ZodType = z.array(z.looseObject({}));
export const rowSchema: z.ZodType = z.looseObject({});

/** @throws ValidationError when a page is asked for that is not there, or a regular expression */
export function listed(rows: readonly Row[], query: ListQuery): Listed {
  const { page, page_size: size, columns } = query;
  const found = sorted(filtered(rows, query), query);
  const shown = (some: readonly Row[]): Row[] =>
    columns === undefined ? [...some] : some.map((row) => pick(row, columns.split(',')));
  if (page === undefined) return shown(found);
  const pages = Math.max(1, Math.ceil(found.length / size));
  if (page > pages) {
    throw new ValidationError(`page is ${page}; there are ${pages} of ${size} entries.`);
  }
  const items = shown(found.slice((page - 1) * size, page * size));
  return {
    filtered_count: found.length,
    item_count: items.length,
    items,
    page,
    page_count: pages,
    page_size: size,
    total_count: rows.length,
  };
}

function filtered(rows: readonly Row[], { name, use_regex: isRegex }: ListQuery): readonly Row[] {
  if (name === undefined || name === '') return rows;
  if (isRegex === 'true') {
    throw new ValidationError(
      'use_regex is not taken: an expression can take as long as it likes. Give a part of the name.',
    );
  }
  const part = name.toLowerCase();
  return rows.filter((row) => textOf(row['name']).toLowerCase().includes(part));
}

function sorted(rows: readonly Row[], { sort, sort_reverse: reverse }: ListQuery): readonly Row[] {
  if (sort === undefined || sort === '') return rows;
  const order = reverse === 'true' ? -1 : 1;
  return rows.toSorted((a, b) => order * compare(fieldOf(a, sort), fieldOf(b, sort)));
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [textOf(a), textOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function fieldOf(row: Row, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((at, key) => (isRow(at) && Object.hasOwn(at, key) ? at[key] : undefined), row);
}

function pick(row: Row, columns: readonly string[]): Row {
  const picked: Record<string, unknown> = {};
  for (const column of columns) {
    const [key = ''] = column.split('.', 1);
    if (!Object.hasOwn(row, key)) continue;
    const value = row[key];
    const rest = column.slice(key.length + 1);
    const before = Object.hasOwn(picked, key) ? picked[key] : {};
    picked[key] =
      rest !== '' && isRow(value) && isRow(before) ? { ...before, ...pick(value, [rest]) } : value;
  }
  return picked;
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
