/** What data frames carry: its kind in the first byte. */
import type { Writer } from './bytes.ts';
import { type Codec, listOf, whole } from './codec.ts';
import { FRAME, makeFrame } from './frames.ts';

export const MESSAGE = {
  /** From the client: the call's number, which call it is, and its request. */
  call: 1,
  /** From the host: the call's number, and the answer. */
  answer: 2,
  /** From the host: the call's number, and why it failed. */
  failure: 3,
  /** From the client: it waits for news of a queue, or no more. */
  follow: 4,
  unfollow: 5,
  /** From the client: it wants to be told of each change of the topology. */
  watch: 6,
  /** From the host: queues that are followed. */
  news: 7,
  /** From the host: a change of the topology. */
  change: 8,
} as const;

export interface News {
  readonly ready: readonly number[];
  readonly room: readonly number[];
}

const numbers = listOf(whole);

export const news: Codec<News> = {
  write: (out, { ready, room }) => {
    numbers.write(out, ready);
    numbers.write(out, room);
  },
  read: (from) => ({ ready: numbers.read(from), room: numbers.read(from) }),
};

/** Makes a data frame. */
export function makeMessage(out: Writer, kind: number, write: (out: Writer) => void): Buffer {
  return makeFrame(out, FRAME.data, (frame) => {
    frame.u8(kind);
    write(frame);
  });
}
