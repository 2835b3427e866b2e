/** The smallest parts of frames: numbers, texts, bytes. What cannot be read is a `WireError`. */

/** What came is no frame of ours: the other side is broken, or no Wherry. */
export class WireError extends Error {
  constructor(what: string) {
    super(`${what} is not what the protocol says.`);
    this.name = 'WireError';
  }
}

const SCRATCH_BYTES = 64 * 1024;
/** A scratch buffer that grew beyond this is not kept. */
const SCRATCH_KEPT_MAX = 4 * 1024 * 1024;
const VARINT_BYTES_MAX = 8;
/** Short texts are copied faster by a loop than by a call into native code. */
const SHORT_TEXT = 40;

/** How a text is written, in the lower two bits of its length. */
const ONE_BYTE = 0;
const UTF8 = 1;
/** UTF-8 cannot hold half a surrogate pair. */
const UTF16 = 2;

/** Writes one frame after the other; each is copied out when it is whole. */
export class Writer {
  /** What was written in this frame and may come again, by kind. */
  readonly seen: Map<object, unknown[]> = new Map();
  #buffer: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #at = 0;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at;
  }

  /** @returns what was written, and begins anew */
  take(): Buffer {
    const frame = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(frame, 0, 0, this.#at);
    this.clear();
    return frame;
  }

  clear(): void {
    this.#at = 0;
    if (this.seen.size > 0) this.seen.clear();
    if (this.#buffer.length > SCRATCH_KEPT_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    }
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeUInt32BE(value, this.#at);
  }

  /** Puts a number where one was written before. */
  setU32(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  /** Any number, `Infinity` too. */
  f64(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
  }

  /** @param value whole, not negative, at most 2^53 - 1 */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${value} is no whole number that the protocol can hold.`);
    }
    this.#reserve(VARINT_BYTES_MAX);
    const buffer = this.#buffer;
    let rest = value;
    while (rest > 0x7fffffff) {
      buffer[this.#at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      buffer[this.#at++] = (rest & 127) + 128;
      rest >>>= 7;
    }
    buffer[this.#at++] = rest;
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#shortText(value)) return;
    const bytes = Buffer.byteLength(value);
    if (bytes === value.length) this.#longText(value, bytes, ONE_BYTE, 'latin1');
    else if (value.isWellFormed()) this.#longText(value, bytes, UTF8, 'utf8');
    else this.#longText(value, value.length * 2, UTF16, 'utf16le');
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** A JSON value. */
  json(value: unknown): void {
    this.text(JSON.stringify(value));
  }

  /** @returns whether it was ASCII; else nothing is written */
  #shortText(value: string): boolean {
    const begin = this.#at;
    this.varint(value.length * 4 + ONE_BYTE);
    this.#reserve(value.length);
    const buffer = this.#buffer;
    let at = this.#at;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        this.#at = begin;
        return false;
      }
      buffer[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #longText(value: string, bytes: number, kind: number, encoding: BufferEncoding): void {
    this.varint(bytes * 4 + kind);
    this.#reserve(bytes);
    this.#buffer.write(value, this.#at, encoding);
    this.#at += bytes;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Reads one frame. Nothing is believed: a length is held against what there is. */
export class Reader {
  /** What was read of this frame and may come again, by kind. */
  readonly seen: Map<object, unknown[]> = new Map();
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#buffer.length - this.#at;
  }

  /** @throws WireError when there is more than was read */
  end(): void {
    if (this.left > 0) throw new WireError('The length of a frame');
  }

  u8(): number {
    this.#need(1);
    return this.#buffer[this.#at++]!;
  }

  f64(): number {
    this.#need(8);
    const value = this.#buffer.readDoubleBE(this.#at);
    this.#at += 8;
    return value;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 128;
    }
    throw new WireError('A number');
  }

  /** How many things follow, each of which takes a byte at least. */
  count(): number {
    const value = this.varint();
    this.#need(value);
    return value;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new WireError('A yes or no');
    return value === 1;
  }

  text(): string {
    const header = this.varint();
    const kind = header % 4;
    const bytes = (header - kind) / 4;
    this.#need(bytes);
    const begin = this.#at;
    this.#at += bytes;
    if (kind === ONE_BYTE) return this.#buffer.toString('latin1', begin, this.#at);
    if (kind === UTF8) return this.#buffer.toString('utf8', begin, this.#at);
    if (kind !== UTF16 || bytes % 2 !== 0) throw new WireError('A text');
    return this.#buffer.toString('utf16le', begin, this.#at);
  }

  /** A copy: the frame it came in may be large, and is not kept for it. */
  bytes(): Uint8Array {
    const length = this.count();
    const begin = this.#at;
    this.#at += length;
    return new Uint8Array(this.#buffer.subarray(begin, this.#at));
  }

  json(): unknown {
    const text = this.text();
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new WireError('A JSON value');
    }
  }

  #need(bytes: number): void {
    if (bytes > this.left) throw new WireError('The length of a part');
  }
}
