import type * as z from 'zod';
import { closestName } from '../../closest-name.ts';
import { InvalidRequestError, type Mistake } from './errors.ts';

/** More than these would hide the first in a long answer. */
const MISTAKES_MAX = 10;
const SHOWN_MAX = 80;
/** Entries of a list or a record; each that is wrong costs as much as a good one many times over. */
const ENTRIES_MAX = 10_000;
/** Fields whose values no error may tell. */
const SECRET = /password|secret|token|digest/i;

/**
 * Holds a part of a request against its schema.
 * @param where 'body', 'query', 'path': the beginning of each field's name
 * @throws InvalidRequestError naming each field that is wrong, and what it may be
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  checkEntries(schema, value, where);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const part: Part = { schema, value, where };
  const issues = parsed.error.issues.slice(0, MISTAKES_MAX);
  const mistakes = issues.flatMap((issue) => mistakesOf(issue, part));
  throw new InvalidRequestError(mistakes.slice(0, MISTAKES_MAX));
}

/** The schema would look at every entry before it counted them. @throws InvalidRequestError */
function checkEntries(schema: z.ZodType, value: unknown, where: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of entryFieldsOf(schema)) {
    const entries = (value as Record<string, unknown>)[key];
    if (typeof entries !== 'object' || entries === null) continue;
    const count = Array.isArray(entries) ? entries.length : Object.keys(entries).length;
    const field = `${where}.${key}`;
    if (count > ENTRIES_MAX) {
      const detail = `has ${count} entries; at most ${ENTRIES_MAX} are taken`;
      throw new InvalidRequestError([{ field, detail }]);
    }
    if (inner === null || !Array.isArray(entries)) continue;
    for (const [i, entry] of entries.entries()) checkEntries(inner, entry, `${field}[${i}]`);
  }
}

type EntryFields = ReadonlyMap<string, z.ZodType | null>;

const entryFields = new WeakMap<object, EntryFields>();

/** The fields of a schema that are lists or records, with the schema of a list's entries. */
function entryFieldsOf(schema: z.ZodType): EntryFields {
  const known = entryFields.get(schema);
  if (known !== undefined) return known;
  const fields = new Map<string, z.ZodType | null>();
  const { shape, options } = unwrapped(schema) as { shape?: object; options?: z.ZodType[] };
  for (const option of options ?? []) {
    for (const [key, inner] of entryFieldsOf(option)) fields.set(key, inner);
  }
  for (const [key, field] of Object.entries(shape ?? {})) {
    const inner = unwrapped(field) as { element?: z.ZodType; keyType?: unknown };
    if (inner.element !== undefined) fields.set(key, inner.element);
    else if (inner.keyType !== undefined) fields.set(key, null);
  }
  entryFields.set(schema, fields);
  return fields;
}

/** A part of a request, and what it should be. */
interface Part {
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly where: string;
}

function mistakesOf(issue: z.core.$ZodIssue, part: Part): Mistake[] {
  const { schema, value, where } = part;
  const field = pathOf(issue.path, where);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    return issue.keys.slice(0, MISTAKES_MAX).map((key) => ({
      field: `${field}.${cut(key)}`,
      detail: `is not known here${suggestion(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest knows best what is wrong.
    const [deepest] = issue.errors.toSorted((a, b) => depthOf(b) - depthOf(a));
    if (deepest !== undefined && depthOf(deepest) > 0) {
      return deepest
        .slice(0, MISTAKES_MAX)
        .flatMap((inner) => mistakesOf({ ...inner, path: [...issue.path, ...inner.path] }, part));
    }
  }
  return [{ field, detail: detailOf(issue, valueAt(value, issue.path)) }];
}

function detailOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) {
    const isKnown = issue.code === 'invalid_type' && issue.expected !== 'nonoptional';
    return isKnown ? `is missing; it must be ${anA(issue.expected)}` : 'is missing';
  }
  const why = issue.message.replace(/^Invalid input: /, '');
  // The whole body may be one, too.
  const isSecret = issue.path.length === 0 || SECRET.test(String(issue.path.at(-1)));
  return isSecret ? `is wrong: ${why}` : `is ${shown(value)}: ${why}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key],
    value,
  );
}

function shown(value: unknown): string {
  // In it there may be what is not to be shown.
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
  const text = JSON.stringify(value);
  return cut(text);
}

function cut(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** Of so many as are told. */
function depthOf(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.slice(0, MISTAKES_MAX).map((issue) => issue.path.length));
}

function anA(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function pathOf(path: readonly PropertyKey[], where: string): string {
  let text = where;
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : `.${cut(String(key))}`;
  return text;
}

/** The names that an object of the schema may have, at a path into it. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) {
    const { shape, element } = (unwrapped(at) ?? {}) as { shape?: object; element?: unknown };
    at = typeof key === 'number' ? element : (shape as Record<PropertyKey, unknown>)?.[key];
  }
  const { shape } = (unwrapped(at) ?? {}) as { shape?: object };
  return Object.keys(shape ?? {});
}

function unwrapped(schema: unknown): unknown {
  let inner = schema;
  while (typeof (inner as { unwrap?: unknown } | undefined)?.unwrap === 'function') {
    // A list would give its entries.
    if ((inner as { element?: unknown }).element !== undefined) return inner;
    const next = (inner as { unwrap(): unknown }).unwrap();
    if (next === inner) return inner;
    inner = next;
  }
  return inner;
}

function suggestion(key: string, known: readonly string[]): string {
  const closest = closestName(key, known);
  if (closest !== null) return `; did you mean '${closest}'?`;
  return known.length === 0 ? '' : `; there are ${known.join(', ')}`;
}
