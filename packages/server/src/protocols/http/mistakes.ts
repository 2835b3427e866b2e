import type * as z from 'zod';
import { closestName } from '../../closest-name.ts';
import { InvalidRequestError, type Mistake } from './errors.ts';

/** More than these would hide the first in a long answer. */
const MISTAKES_MAX = 10;
const SHOWN_MAX = 80;
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
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const part: Part = { schema, value, where };
  const mistakes = parsed.error.issues.flatMap((issue) => mistakesOf(issue, part));
  throw new InvalidRequestError(mistakes.slice(0, MISTAKES_MAX));
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
    return issue.keys.map((key) => ({
      field: `${field}.${key}`,
      detail: `is not known here${suggestion(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest knows best what is wrong.
    const [deepest] = issue.errors.toSorted((a, b) => depthOf(b) - depthOf(a));
    if (deepest !== undefined && depthOf(deepest) > 0) {
      return deepest.flatMap((inner) =>
        mistakesOf({ ...inner, path: [...issue.path, ...inner.path] }, part),
      );
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
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function depthOf(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length));
}

function anA(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function pathOf(path: readonly PropertyKey[], where: string): string {
  let text = where;
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : `.${String(key)}`;
  return text;
}

/** The names that an object of the schema may have, at a path into it. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) {
    const { shape, element } = unwrapped(at) as { shape?: object; element?: unknown };
    at = typeof key === 'number' ? element : (shape as Record<PropertyKey, unknown>)?.[key];
  }
  const { shape } = (unwrapped(at) ?? {}) as { shape?: object };
  return Object.keys(shape ?? {});
}

function unwrapped(schema: unknown): unknown {
  let inner = schema;
  while (typeof (inner as { unwrap?: unknown } | undefined)?.unwrap === 'function') {
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
