import type { Figures, RunContext } from '../harness/benchmark.ts';
import { FIRST_NUMBER } from '../workloads/payload.ts';
import { type Numbered, toQueue } from './client.ts';
import { consumeAll, type Contestant } from './contestant.ts';
import { openAll, rotated } from './turns.ts';

const BYTES = 100;
const DEPTH = 1_000;
const SLICE = 50_000;
const TURNS = 10;

/** A queue of a depth that stays: it gets a slice at its end and gives one from its beginning. */
class SteadyQueue {
  readonly name: string;
  ms = 0;
  consumed = 0;
  readonly #contestant: Contestant;
  #first = FIRST_NUMBER;
  #end = FIRST_NUMBER;

  constructor(name: string, contestant: Contestant) {
    this.name = name;
    this.#contestant = contestant;
  }

  async fill(count: number): Promise<void> {
    const messages = { first: this.#end, count, bytes: BYTES };
    await this.#contestant.publish(toQueue(this.name), messages, DEPTH);
    this.#end += count;
  }

  async turn(slice: number): Promise<void> {
    await this.fill(slice);
    const messages: Numbered = { first: this.#first, count: slice, bytes: BYTES };
    const { clients } = this.#contestant;
    const of = { queue: this.name, prefetch: DEPTH, messages, hasOthers: true };
    const { ms } = await this.#contestant.measure(slice, () => consumeAll(clients, () => of));
    this.#first += slice;
    this.ms += ms;
    this.consumed += slice;
  }
}

/**
 * Consumes from a queue in which so many messages wait as the setting `messages` says, in turns with
 * one that is empty but for what is consumed.
 * @returns messages per second of both
 * @throws InvalidRunError when a message did not come, or came twice
 */
export async function measureBacklog(context: RunContext): Promise<Figures> {
  const { isQuick, settings } = context;
  const [contestant] = await openAll(context, 'lean', 1);
  const depth = isQuick ? 2_000 : settings['messages']!;
  const slice = isQuick ? 200 : SLICE;
  const [deep, shallow] = ['deep', 'shallow'].map((name) => new SteadyQueue(name, contestant!));
  const queues = [deep!, shallow!];
  for (const { name } of queues) await contestant!.control.declareQueue(name);
  await deep!.fill(depth);
  for (let turn = 0; turn < (isQuick ? 2 : TURNS + 1); turn++) {
    for (const queue of rotated(queues, turn)) {
      await queue.turn(slice);
      // The first turn is for the compiler.
      if (turn === 0) queue.ms = queue.consumed = 0;
    }
  }
  await contestant!.control.expectWaiting('deep', depth);
  await contestant!.control.expectWaiting('shallow', 0);
  await contestant!.close();
  return Object.fromEntries(
    queues.map(({ name, consumed, ms }) => [name, (consumed / ms) * 1_000]),
  );
}
