/**
 * A stream consists of frames: the length of what follows in four bytes, a byte that says what it is,
 * and that. A client begins with `hello`, the host answers with `welcome` or `refusal`; from then on
 * both send `data`, which is counted on both sides, so that after a cut each knows what to repeat.
 */
import type { Capabilities } from '../../../core/driver.ts';
import { type Reader, WireError, Writer } from './bytes.ts';
import { type Codec, isObject, json, orNull, struct, text, whole } from './codec.ts';
import { failure, type WireFailure } from './errors.ts';

/** Goes up with each change that the other side must know of. */
export const PROTOCOL_VERSION = 2;

export const FRAME = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  data: 4,
  /** How much data has arrived. */
  received: 5,
  ping: 6,
  pong: 7,
  /** The client ends in good order, and does not come back. */
  goodbye: 8,
  /** The host ends: of the client's data it has taken so much, and no more. */
  gone: 9,
} as const;

export const HEADER_BYTES = 5;
/** Of a frame before the other side is known. */
export const GREETING_MAX = 4_096;

export interface Hello {
  readonly magic: string;
  readonly version: number;
  /** Nobody else knows it: who has it has the session. */
  readonly session: string;
  /** How much of the host's data has arrived; null: the session begins. */
  readonly received: number | null;
  /** The client lets hear of itself this often. Milliseconds. */
  readonly heartbeat: number;
}

export const MAGIC = 'wherry-store';

export const hello: Codec<Hello> = struct<Hello>({
  magic: text,
  version: whole,
  session: text,
  received: orNull(whole),
  heartbeat: whole,
});

export interface Welcome {
  /** How much of the client's data has arrived; null: the host does not know the session, it is new. */
  readonly received: number | null;
  readonly store: { readonly name: string; readonly supports: Capabilities };
  /** Most bytes of a frame that the host takes. */
  readonly frameBytes: number;
}

export const welcome: Codec<Welcome> = struct<Welcome>({
  received: orNull(whole),
  store: json((value) => isObject(value) && isObject(value.supports)),
  frameBytes: whole,
});

export const refusal: Codec<WireFailure> = failure;

/** Makes a frame in one piece. */
export function makeFrame(out: Writer, type: number, write: (out: Writer) => void): Buffer {
  out.clear();
  try {
    out.u32(0);
    out.u8(type);
    write(out);
    out.setU32(0, out.length - HEADER_BYTES);
    return out.take();
  } finally {
    out.clear();
  }
}

const writer = new Writer();

export function frameOf<T>(type: number, codec: Codec<T>, value: T): Buffer {
  return makeFrame(writer, type, (out) => codec.write(out, value));
}

const EMPTY = new Map(
  [FRAME.ping, FRAME.pong, FRAME.goodbye].map((type) => [type, makeFrame(writer, type, () => {})]),
);

export function emptyFrame(
  type: typeof FRAME.ping | typeof FRAME.pong | typeof FRAME.goodbye,
): Buffer {
  return EMPTY.get(type)!;
}

/** Reads all of a frame. @throws WireError */
export function readWhole<T>(from: Reader, codec: Codec<T>): T {
  const value = codec.read(from);
  from.end();
  return value;
}

/** The magic is looked at before all else: it tells a stranger from an old or new version. */
export function readHello(from: Reader): Hello {
  const read = readWhole(from, hello);
  if (read.magic !== MAGIC || !/^[0-9a-f]{32}$/.test(read.session)) throw new WireError('A hello');
  return read;
}
