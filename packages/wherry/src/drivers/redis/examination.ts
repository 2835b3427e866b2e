import type { RedisStore } from './store.ts';

/** Something in the store that contradicts something else in it, or may soon be in its way. */
export interface Finding {
  /** Stable: what kind. */
  readonly code: string;
  readonly message: string;
}

/** One queue, or one place of a queue that is spread over several. */
export interface ExaminedQueue {
  readonly name: string;
  readonly number: number;
  readonly messages: number;
  /** Bytes of the server's memory, roughly. */
  readonly memory: number;
  /** Moves and copies from or to other places that have begun and not ended. */
  readonly underWay: number;
}

export interface ExaminedQueues {
  readonly queues: readonly ExaminedQueue[];
  readonly messages: number;
  readonly problems: readonly Finding[];
  readonly repaired: number;
}

export interface ExaminationOptions {
  readonly repair: boolean;
  /** @param messages how many were looked at so far */
  readonly onProgress: (messages: number) => void;
}

/** What is looked at by one script. */
const PART = 1_000;
/** A queue that is in use changes while it is looked at. */
const TRIES = 5;

const NAMES = ['ready', 'scheduled', 'leased', 'bytes'] as const;

type Inspection = readonly [
  numbers: readonly number[],
  indexed: readonly number[],
  bytesToCome: number,
  underWay: readonly number[],
  memory: number,
  streams: readonly number[],
];
type Part = readonly [count: number, behind: number, bytes: number, next: Buffer, highest: number];

/** What a queue holds, counted. */
interface Counted {
  readonly messages: number;
  readonly bytes: number;
  /** Of the sequences of its messages. */
  readonly highest: number;
  /** By priority, how many of its stream are behind the cursor. */
  readonly tails: ReadonlyMap<number, number>;
}

/**
 * Counts what each queue holds, and holds its numbers against that. Queues may be in use.
 * @param places the queues, and the places of those that are spread
 */
export async function examineQueues(
  store: RedisStore,
  places: ReadonlyMap<number, string>,
  options: ExaminationOptions,
): Promise<ExaminedQueues> {
  const queues: ExaminedQueue[] = [];
  const problems: Finding[] = [];
  let repaired = 0;
  let messages = 0;
  for (const [number, name] of places) {
    const examination = new Examination(store, number, name);
    const queue = await examination.run(options.repair);
    if (queue !== null) queues.push(queue);
    problems.push(...examination.problems);
    repaired += examination.repaired;
    messages += queue?.messages ?? 0;
    options.onProgress(messages);
  }
  return { queues, messages, problems, repaired };
}

/** Of one queue. */
class Examination {
  readonly problems: Finding[] = [];
  repaired = 0;
  readonly #store: RedisStore;
  readonly #number: number;
  readonly #name: string;

  constructor(store: RedisStore, number: number, name: string) {
    this.#store = store;
    this.#number = number;
    this.#name = name;
  }

  /** @returns null when the queue is gone */
  async run(repair: boolean): Promise<ExaminedQueue | null> {
    for (let attempt = 1; ; attempt += 1) {
      const before = await this.#inspect();
      if (before === null) return null;
      const counted = await this.#count(before);
      const after = await this.#inspect();
      if (after === null) return null;
      const isStill = before[0].every((value, i) => value === after[0][i]);
      if (isStill) await this.#compare(before, counted, repair);
      if (isStill || attempt === TRIES) {
        const underWay = after[3].reduce((sum, count) => sum + count, 0);
        const { messages } = counted;
        const [, , , , memory] = after;
        return { name: this.#name, number: this.#number, messages, memory, underWay };
      }
    }
  }

  async #inspect(): Promise<Inspection | null> {
    const answer = await this.#store.run('inspect', [this.#number], []);
    return answer instanceof Buffer ? null : (answer as Inspection);
  }

  async #count([, , , , , streams]: Inspection): Promise<Counted> {
    const tails = new Map<number, number>();
    let messages = 0;
    let bytes = 0;
    let highest = 0;
    const add = async (priority: number | '', start: string): Promise<number> => {
      let allBehind = 0;
      let from: string | null = start;
      while (from !== null) {
        const answer = await this.#store.run(
          'inspect-part',
          [this.#number],
          [priority, from, PART],
        );
        const [count, behind, partBytes, next, partHighest] = answer as Part;
        messages += count;
        bytes += partBytes;
        highest = Math.max(highest, partHighest);
        allBehind += behind;
        from = next.length === 0 ? null : next.toString();
      }
      return allBehind;
    };
    for (let at = 0; at < streams.length; at += 2) {
      const priority = streams[at]!;
      tails.set(priority, await add(priority, ''));
    }
    await add('', '0');
    return { messages, bytes, highest, tails };
  }

  async #compare(
    [numbers, [ready, scheduled, leased], bytesToCome]: Inspection,
    { bytes, highest, tails }: Counted,
    repair: boolean,
  ): Promise<void> {
    const stored = numbers.slice(2);
    const found = [ready!, scheduled!, leased!, bytes + bytesToCome];
    const wrong = NAMES.filter((_, i) => stored[i] !== found[i]);
    const isBehind = numbers[0]! < highest;
    if (wrong.length === 0 && !isBehind) return;
    const told = wrong.map((name) => {
      const i = NAMES.indexOf(name);
      return `${name} is ${stored[i]}, but there are ${found[i]}`;
    });
    if (isBehind) told.push(`its sequence is ${numbers[0]}, but there is a message ${highest}`);
    this.problems.push({
      code: 'counters',
      message: `The counters of '${this.#name}' are wrong: ${told.join('; ')}.`,
    });
    if (!repair) return;
    const answer = await this.#store.run(
      'set-numbers',
      [this.#number],
      [...numbers, ...found, highest, ...[...tails].flat()],
    );
    this.repaired += answer as number;
  }
}
