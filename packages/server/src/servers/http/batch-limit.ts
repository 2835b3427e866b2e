import { InvalidRequestError } from '../../protocols/http/errors.ts';
import type { Services } from './services.ts';

/** @throws InvalidRequestError when a request asks for more at a time than the broker allows */
export function checkBatch(count: number, field: string, { limits }: Services): void {
  if (count <= limits.batch) return;
  const detail = `has ${count} entries; at most ${limits.batch} are allowed (limits.batch). Send several requests`;
  throw new InvalidRequestError([{ field, detail }]);
}
