/** Puts the bodies of a call one after the other, for they go to the database as one value. */
export class BodyWriter {
  /** PostgreSQL counts from 1 on. */
  readonly starts: number[] = [];
  readonly lengths: number[] = [];
  readonly #bodies: (string | Uint8Array)[] = [];
  #length = 0;
  #last: { readonly body: string | Uint8Array } | null = null;

  /** Copies of one message, in a row, share their body. */
  add(message: { readonly body: string | Uint8Array }): void {
    if (message === this.#last) {
      this.starts.push(this.starts.at(-1)!);
      this.lengths.push(this.lengths.at(-1)!);
      return;
    }
    this.#last = message;
    const { body } = message;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
    this.starts.push(this.#length + 1);
    this.lengths.push(length);
    this.#bodies.push(body);
    this.#length += length;
  }

  bytes(): Buffer {
    // One long text is written many times faster than many short ones.
    if (this.#bodies.every((body) => typeof body === 'string')) {
      return Buffer.from(this.#bodies.join(''));
    }
    return Buffer.concat(
      this.#bodies.map((body) => (typeof body === 'string' ? Buffer.from(body) : body)),
      this.#length,
    );
  }
}
