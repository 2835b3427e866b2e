import { ValidationError } from './errors.ts';
import type { PayloadSchema } from './queue.ts';

/**
 * Holds a payload against a queue's schema.
 * @returns what the schema makes of it; a promise of it when the schema works asynchronously
 * @throws ValidationError (or rejects with it) naming each place that is wrong
 */
export function checkPayload(schema: PayloadSchema, payload: unknown, queueName: string): unknown {
  const result = schema['~standard'].validate(payload);
  if (result instanceof Promise) return result.then((late) => unwrap(late, queueName));
  return unwrap(result, queueName);
}

type Result = Awaited<ReturnType<PayloadSchema['~standard']['validate']>>;

function unwrap(result: Result, queueName: string): unknown {
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ path, message }) => {
    const place = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
    return place.length === 0 ? message : `payload.${place.join('.')}: ${message}`;
  });
  throw new ValidationError(
    `The payload is not what queue '${queueName}' takes: ${problems.join('; ')}.`,
  );
}
