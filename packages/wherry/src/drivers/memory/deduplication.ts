import { Heap } from './heap.ts';

interface Sent {
  readonly deduplicationId: string;
  readonly id: string;
  readonly until: number;
  index: number;
}

/** Which deduplicationIds were sent lately, and the id that the message got (G12). */
export class Deduplication {
  readonly #sent = new Map<string, Sent>();
  readonly #byEnd = new Heap<Sent>(
    (a, b) => a.until < b.until,
    (sent, index) => {
      sent.index = index;
    },
  );

  /** @returns the first message's id, or undefined when it is not remembered */
  find(deduplicationId: string, now: number): string | undefined {
    const sent = this.#sent.get(deduplicationId);
    return sent !== undefined && sent.until > now ? sent.id : undefined;
  }

  remember(deduplicationId: string, id: string, until: number): void {
    this.drop(deduplicationId);
    const sent = { deduplicationId, id, until, index: -1 };
    this.#sent.set(deduplicationId, sent);
    this.#byEnd.push(sent);
  }

  /** Undoes `remember`: what was remembered before is over, or it would have been found. */
  drop(deduplicationId: string): void {
    const sent = this.#sent.get(deduplicationId);
    if (sent === undefined) return;
    this.#sent.delete(deduplicationId);
    this.#byEnd.removeAt(sent.index);
  }

  /** Drops what is over. */
  forget(now: number): void {
    for (let sent = this.#byEnd.peek(); sent !== undefined; sent = this.#byEnd.peek()) {
      if (sent.until > now) return;
      this.drop(sent.deduplicationId);
    }
  }

  /** @returns milliseconds since 1970 when `forget` has something to do; Infinity: never */
  nextForgotten(): number {
    return this.#byEnd.peek()?.until ?? Infinity;
  }
}
