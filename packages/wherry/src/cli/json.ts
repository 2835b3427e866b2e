import { ValidationError } from '../core/errors.ts';

/**
 * Parses JSON and refuses what JavaScript's numbers would change: a 20-digit id must not arrive
 * with other last digits.
 * @param remedy a sentence to close the error with
 * @throws ValidationError with the place where it stops being JSON
 */
export function parseJson(text: string, remedy = ''): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ValidationError(`It is not JSON (${(cause as Error).message}).${remedy}`, { cause });
  }
  if (MAY_LOSE_DIGITS.test(text)) checkNumbers(text);
  return value;
}

/** Cheap, and true for every number that a double cannot hold. */
const MAY_LOSE_DIGITS = /\d{16}|\d[eE]\+?\d{2}/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

function checkNumbers(text: string): void {
  for (const [token] of text.matchAll(STRING_OR_NUMBER)) {
    if (token.startsWith('"')) continue;
    if (isKept(token)) continue;
    throw new ValidationError(
      `The number ${token.slice(0, 40)} does not fit a JSON number without loss; send it as a string.`,
    );
  }
}

/** Whether it comes out as it went in: the decimals of a fraction are rounded everywhere in JSON. */
function isKept(token: string): boolean {
  const number = Number(token);
  if (!Number.isFinite(number)) return false;
  return !/^-?\d+$/.test(token) || BigInt(token) === BigInt(number) || token === String(number);
}
