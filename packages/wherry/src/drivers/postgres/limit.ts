import { NoAnswerError } from './errors.ts';
import { after } from './timers.ts';

/**
 * Gives up waiting: a connection that is gone without a word says nothing, ever.
 * @param ms milliseconds
 * @throws NoAnswerError
 */
export async function withLimit<T>(answer: Promise<T>, ms: number): Promise<T> {
  let cancel = (): void => undefined;
  const silence = new Promise<never>((_, reject) => {
    cancel = after(ms, () => reject(new NoAnswerError(ms)));
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    cancel();
  }
}
