/** Numbers begin here, so that all have as many digits and all payloads the same size. */
export const FIRST_NUMBER = 10_000_000;

/** What every benchmark sends. */
export interface Payload {
  readonly number: number;
  readonly text: string;
}

/** @returns a function that makes payloads whose JSON has so many bytes */
export function payloadsOf(bytes: number): (number: number) => Payload {
  const frame = JSON.stringify({ number: FIRST_NUMBER, text: '' });
  const text = 'x'.repeat(bytes - frame.length);
  return (number) => ({ number, text });
}
