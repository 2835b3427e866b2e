interface Sent {
  readonly id: string;
  readonly until: number;
}

/** Which deduplicationIds were sent lately, and the id that the message got (G12). */
export class Deduplication {
  /** In order of sending, so the first to be forgotten come first unless the window shrank. */
  readonly #sent = new Map<string, Sent>();

  /** @returns the first message's id, or undefined when it is not remembered */
  find(deduplicationId: string, now: number): string | undefined {
    const sent = this.#sent.get(deduplicationId);
    return sent !== undefined && sent.until > now ? sent.id : undefined;
  }

  remember(deduplicationId: string, id: string, until: number): void {
    this.#sent.delete(deduplicationId);
    this.#sent.set(deduplicationId, { id, until });
  }

  /** Undoes `remember`: what was remembered before is over, or it would have been found. */
  drop(deduplicationId: string): void {
    this.#sent.delete(deduplicationId);
  }

  /** Drops what is over. Records behind a longer window stay a little; `find` ignores them. */
  forget(now: number): void {
    for (const [deduplicationId, { until }] of this.#sent) {
      if (until > now) return;
      this.#sent.delete(deduplicationId);
    }
  }

  /** @returns milliseconds since 1970 when `forget` has something to do; Infinity: never */
  nextForgotten(): number {
    for (const { until } of this.#sent.values()) return until;
    return Infinity;
  }
}
