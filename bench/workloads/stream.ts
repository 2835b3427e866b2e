import type { Contender } from '../contenders/contender.ts';
import { DeliveryCheck, InvalidRunError } from '../harness/delivery-check.ts';
import { inLanes } from './lanes.ts';
import { FIRST_NUMBER, type Payload, payloadsOf } from './payload.ts';

const OUTSTANDING = 1_000;
const BATCH = 1_000;
/** A batch is sent while others are on their way. */
const BATCHES_OUTSTANDING = 4;
const STALLED_AFTER_MS = 20_000;

/** @param ms milliseconds */
export function perSecond(count: number, ms: number): number {
  return (count / ms) * 1_000;
}

/** Numbered messages, sent and consumed in turns. */
export class Stream {
  readonly #contender: Contender;
  readonly #payloadOf: (number: number) => Payload;
  #sent = FIRST_NUMBER;
  #consumed = FIRST_NUMBER;

  constructor(contender: Contender, bytes: number) {
    this.#contender = contender;
    this.#payloadOf = payloadsOf(bytes);
  }

  /** @returns milliseconds until all were confirmed */
  async send(count: number): Promise<number> {
    const first = this.#take(count);
    const start = performance.now();
    await inLanes(count, OUTSTANDING, (index) =>
      this.#contender.send(this.#payloadOf(first + index)),
    );
    return performance.now() - start;
  }

  /** @returns milliseconds until all were confirmed */
  async sendBatches(count: number): Promise<number> {
    const first = this.#take(count);
    const start = performance.now();
    await inLanes(Math.ceil(count / BATCH), BATCHES_OUTSTANDING, (batch) => {
      const length = Math.min(BATCH, count - batch * BATCH);
      const payloads = Array.from({ length }, (_, n) => this.#payloadOf(first + batch * BATCH + n));
      return this.#contender.sendBatch(payloads);
    });
    return performance.now() - start;
  }

  sendBest(count: number): Promise<number> {
    return this.#contender.sendsBestIn === 'ones' ? this.send(count) : this.sendBatches(count);
  }

  /** @returns milliseconds until all acknowledgements were confirmed */
  consume(count: number): Promise<number> {
    return this.#consumeWhile(count, async () => {});
  }

  /** @returns milliseconds until all that was sent was acknowledged, and that was confirmed */
  both(count: number): Promise<number> {
    return this.#consumeWhile(count, () => this.sendBest(count));
  }

  /** @param pace messages per second @returns milliseconds from each send to its handling */
  async atPace(count: number, pace: number): Promise<number[]> {
    const first = this.#sent;
    const sentAt = new Float64Array(count);
    const latencies: number[] = [];
    const onMessage = ({ number }: Payload): void => {
      latencies.push(performance.now() - sentAt[number - first]!);
    };
    await this.#consumeWhile(
      count,
      async () => {
        this.#take(count);
        const sends: Promise<unknown>[] = [];
        const start = performance.now();
        for (let index = 0; index < count; index++) {
          const wait = start + (index * 1_000) / pace - performance.now();
          if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
          sentAt[index] = performance.now();
          sends.push(this.#contender.send(this.#payloadOf(first + index)));
        }
        await Promise.all(sends);
      },
      onMessage,
    );
    return latencies;
  }

  #take(count: number): number {
    this.#sent += count;
    return this.#sent - count;
  }

  async #consumeWhile(
    count: number,
    work: () => Promise<unknown>,
    onMessage: (payload: Payload) => void = () => {},
  ): Promise<number> {
    const check = new DeliveryCheck(this.#consumed, count);
    this.#consumed += count;
    const start = performance.now();
    const consumption = await this.#contender.consume(count, (payload) => {
      onMessage(payload);
      check.mark(payload.number);
    });
    await Promise.all([work(), orStalled(consumption.done, () => check.count)]);
    // How long it takes to stop is no matter of how fast it is.
    const elapsed = performance.now() - start;
    await consumption.stop();
    check.verify();
    return elapsed;
  }
}

/** @throws InvalidRunError when `progress` stands still for long */
async function orStalled(done: Promise<void>, progress: () => number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_resolve, reject) => {
    let before = -1;
    timer = setInterval(() => {
      if (progress() === before) {
        reject(new InvalidRunError(`Nothing came any more after ${before} messages.`));
      }
      before = progress();
    }, STALLED_AFTER_MS);
  });
  await Promise.race([done, stalled]).finally(() => clearInterval(timer));
}
