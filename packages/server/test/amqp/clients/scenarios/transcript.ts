/** What every scenario in TypeScript needs: lines of the transcript, and a word with who started it. */
import { once } from 'node:events';

/** The broker's URL, which a scenario is started with. */
export function brokerUrl(): string {
  const [, , url] = process.argv;
  if (url === undefined) throw new Error('Usage: SCENARIO URL');
  return url;
}

/** Prints a line of the transcript, in which nothing may differ from run to run: no ids, no times. */
export function say(step: string, facts: object = {}): void {
  console.log(JSON.stringify({ step, ...facts }));
}

/** Plays the scenario, act by act, and ends the process, whatever connections are still open. */
export async function play(...acts: readonly (() => Promise<void>)[]): Promise<never> {
  for (const act of acts) await act();
  say('end');
  process.exit();
}

/** Has the broker killed and started again. @returns when it listens again */
export async function restartBroker(): Promise<void> {
  console.log(JSON.stringify({ request: 'restart' }));
  process.stdin.resume();
  await once(process.stdin, 'data');
  process.stdin.pause();
}

/** @returns what the broker counts in a queue, as soon as it is `expected` or nearly too late */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  expected: (value: Value) => boolean,
): Promise<Value> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const value = await ask();
    if (expected(value) || performance.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Messages as they come, for those who ask for them one by one. */
export class Inbox<Message> {
  readonly #waiting: Message[] = [];
  readonly #readers: ((message: Message) => void)[] = [];

  readonly put = (message: Message): void => {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#waiting.push(message);
    else reader(message);
  };

  next(): Promise<Message> {
    const message = this.#waiting.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async take(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** How many came that nobody has asked for. */
  get size(): number {
    return this.#waiting.length;
  }
}

/** @returns the deaths that a header tells of, without their times */
export function deaths(headers: Record<string, unknown> | undefined): unknown {
  const list = (headers?.['x-death'] ?? []) as Record<string, unknown>[];
  return list.map(({ time, ...death }) => ({
    time: time === undefined ? 'none' : 'set',
    ...Object.fromEntries(Object.entries(death).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }));
}
