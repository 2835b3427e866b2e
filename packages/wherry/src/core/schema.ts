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

/** The same for the reply to a request. @throws ValidationError naming each place that is wrong */
export async function checkReply(
  schema: PayloadSchema,
  payload: unknown,
  queueName: string,
): Promise<unknown> {
  const result = await schema['~standard'].validate(payload);
  if (result.issues === undefined) return result.value;
  throw new ValidationError(
    `The reply to a request to queue '${queueName}' is not what its schema says: ` +
      `${problemsOf(result.issues)}.`,
  );
}

type Result = Awaited<ReturnType<PayloadSchema['~standard']['validate']>>;

function unwrap(result: Result, queueName: string): unknown {
  if (result.issues === undefined) return result.value;
  throw new ValidationError(
    `The payload is not what queue '${queueName}' takes: ${problemsOf(result.issues)}.`,
  );
}

function problemsOf(issues: NonNullable<Result['issues']>): string {
  const problems = issues.map(({ path, message }) => {
    const place = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
    return place.length === 0 ? message : `payload.${place.join('.')}: ${message}`;
  });
  return problems.join('; ');
}
