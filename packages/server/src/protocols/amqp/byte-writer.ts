const SHORTSTR_MAX = 255;
/** A character of a JavaScript string takes at most three bytes of UTF-8. */
const UTF8_MAX = 3;
const SLAB_MIN = 1024;
const SLAB_MAX = 64 * 1024;
/** Below this many bytes a loop is faster than the call that copies. */
const COPY_MIN = 24;
const EMPTY = Buffer.alloc(0);

/**
 * Writes values one after the other. `take` hands over what was written, and the writer goes on
 * behind it in the same memory: bytes that were handed over are never written again.
 */
export class ByteWriter {
  /** Where `at` points into. Before a direct write, `reserve`; `reserve` may change both. */
  bytes: Buffer = EMPTY;
  at = 0;
  #start = 0;
  #typicalSize = 0;

  /** How many bytes were written since `take`. */
  get length(): number {
    return this.at - this.#start;
  }

  /** @returns what was written, owned by the caller */
  take(): Buffer {
    const taken = this.bytes.subarray(this.#start, this.at);
    this.#start = this.at;
    this.#typicalSize = Math.max(taken.length, this.#typicalSize >> 1);
    // A writer that fell quiet keeps no large memory.
    if (this.bytes.length > Math.max(SLAB_MIN, this.#typicalSize * 16)) this.#adopt(EMPTY, 0);
    return taken;
  }

  /** Forgets what was written since the length was `length`. */
  rewind(length: number): void {
    this.at = this.#start + length;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.bytes.length - this.at < count) this.#grow(count);
  }

  octet(value: number): void {
    this.reserve(1);
    this.at = this.bytes.writeUInt8(whole(value), this.at);
  }

  short(value: number): void {
    this.reserve(2);
    this.at = this.bytes.writeUInt16BE(whole(value), this.at);
  }

  long(value: number): void {
    this.reserve(4);
    this.at = this.bytes.writeUInt32BE(whole(value), this.at);
  }

  /** @throws RangeError the number is negative or above 2^53 - 1 */
  longlong(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`${value} is not a whole number up to ${Number.MAX_SAFE_INTEGER}`);
    }
    this.long(Math.floor(value / 2 ** 32));
    this.long(value % 2 ** 32);
  }

  /** @throws RangeError the string takes more than 255 bytes */
  shortstr(text: string): void {
    if (text.length > SHORTSTR_MAX) throw tooLong(text);
    this.reserve(1 + text.length * UTF8_MAX);
    this.at = writeShortstr(this.bytes, this.at, text);
  }

  longstr(value: string | Uint8Array): void {
    const start = this.skipLength();
    if (typeof value === 'string') {
      this.reserve(Buffer.byteLength(value));
      this.at += this.bytes.write(value, this.at, 'utf8');
    } else {
      this.raw(value);
    }
    this.setLength(start);
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.at = copyBytes(this.bytes, this.at, value);
  }

  /** Leaves room for a length of 32 bits. @returns what `setLength` wants to know */
  skipLength(): number {
    this.reserve(4);
    this.at += 4;
    return this.length;
  }

  /** Fills in how much was written since `skipLength`. */
  setLength(start: number): void {
    this.bytes.writeUInt32BE(this.length - start, this.#start + start - 4);
  }

  #grow(count: number): void {
    const { length } = this;
    const expected = Math.min(Math.max(this.#typicalSize * 2, SLAB_MIN), SLAB_MAX);
    const needed = Math.max(length + count, length * 2, expected);
    const bytes = Buffer.allocUnsafe(2 ** Math.ceil(Math.log2(needed)));
    this.bytes.copy(bytes, 0, this.#start, this.at);
    this.#adopt(bytes, length);
  }

  #adopt(bytes: Buffer, at: number): void {
    this.bytes = bytes;
    this.#start = 0;
    this.at = at;
  }
}

/**
 * Writes where there is room for one byte and three for each character.
 *
 * @returns the place behind the string
 * @throws RangeError the string takes more than 255 bytes
 */
export function writeShortstr(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > SHORTSTR_MAX) throw tooLong(text);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return writeUtf8(bytes, at, text);
    bytes[at + 1 + i] = code;
  }
  bytes[at] = length;
  return at + 1 + length;
}

function writeUtf8(bytes: Buffer, at: number, text: string): number {
  const length = bytes.write(text, at + 1, 'utf8');
  if (length > SHORTSTR_MAX) throw tooLong(text);
  bytes[at] = length;
  return at + 1 + length;
}

/** @returns the place behind the copy */
function copyBytes(target: Buffer, at: number, source: Uint8Array): number {
  return copyRange(target, at, source, 0, source.length);
}

/** @returns the place behind the copy */
export function copyRange(
  target: Buffer,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): number {
  const length = to - from;
  if (length < COPY_MIN) for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
  else if (length === source.length) target.set(source, at);
  else target.set(source.subarray(from, to), at);
  return at + length;
}

/** A Buffer's own methods refuse what is out of range, but cut off fractions. */
function whole(value: number): number {
  if (!Number.isInteger(value)) throw new RangeError(`${value} is not a whole number`);
  return value;
}

function tooLong(text: string): RangeError {
  const size = Buffer.byteLength(text);
  return new RangeError(
    `a short string takes at most ${SHORTSTR_MAX} bytes, and '${text.slice(0, 40)}…' takes ${size}`,
  );
}
