import { type Reader, WireError, type Writer } from './bytes.ts';

/** How a value becomes bytes and comes back. */
export interface Codec<T> {
  write(out: Writer, value: T): void;
  /** @throws WireError */
  read(from: Reader): T;
}

export const nothing: Codec<void> = {
  write: () => undefined,
  read: () => undefined,
};

export const text: Codec<string> = {
  write: (out, value) => out.text(value),
  read: (from) => from.text(),
};

export const whole: Codec<number> = {
  write: (out, value) => out.varint(value),
  read: (from) => from.varint(),
};

/** Of a moment, or what a store gives out as it likes: any number. */
export const number: Codec<number> = {
  write: (out, value) => out.f64(value),
  read: (from) => {
    const value = from.f64();
    if (Number.isNaN(value)) throw new WireError('A number');
    return value;
  },
};

/** Of a span or a bound: not negative, `Infinity` perhaps. */
export const amount: Codec<number> = {
  write: (out, value) => out.f64(value),
  read: (from) => {
    const value = from.f64();
    if (!(value >= 0)) throw new WireError('An amount');
    return value;
  },
};

export const flag: Codec<boolean> = {
  write: (out, value) => out.flag(value),
  read: (from) => from.flag(),
};

export function orNull<T>(codec: Codec<T>): Codec<T | null> {
  return {
    write: (out, value) => {
      out.flag(value !== null);
      if (value !== null) codec.write(out, value);
    },
    read: (from) => (from.flag() ? codec.read(from) : null),
  };
}

export function listOf<T>(codec: Codec<T>): Codec<readonly T[]> {
  return {
    write: (out, values) => {
      out.varint(values.length);
      for (const value of values) codec.write(out, value);
    },
    read: (from) => {
      const length = from.count();
      const values: T[] = [];
      for (let i = 0; i < length; i++) values.push(codec.read(from));
      return values;
    },
  };
}

/** So many different values of a frame are remembered. */
const SEEN_MAX = 256;

/** A value that comes again and again within a frame: from the second time on, its place. */
export function repeated<T>(codec: Codec<T>): Codec<T> {
  const seenIn = (frame: Reader | Writer): unknown[] => {
    let seen = frame.seen.get(codec);
    if (seen === undefined) frame.seen.set(codec, (seen = []));
    return seen;
  };
  return {
    write: (out, value) => {
      const seen = seenIn(out);
      const place = seen.indexOf(value) + 1;
      out.varint(place);
      if (place > 0) return;
      codec.write(out, value);
      if (seen.length < SEEN_MAX) seen.push(value);
    },
    read: (from) => {
      const seen = seenIn(from);
      const place = from.varint();
      if (place > seen.length) throw new WireError('A repetition');
      if (place > 0) return seen[place - 1] as T;
      const value = codec.read(from);
      if (seen.length < SEEN_MAX) seen.push(value);
      return value;
    },
  };
}

/** One of a few words, as its place among them: the order is part of the protocol. */
export function oneOf<const T extends string>(words: readonly T[]): Codec<T> {
  return {
    write: (out, value) => out.u8(words.indexOf(value)),
    read: (from) => {
      const word = words[from.u8()];
      if (word === undefined) throw new WireError('A word');
      return word;
    },
  };
}

/** A JSON value that is seldom sent. @param isValid what must be true of it */
export function json<T>(isValid: (value: unknown) => boolean): Codec<T> {
  return {
    write: (out, value) => out.json(value),
    read: (from) => {
      const value = from.json();
      if (!isValid(value)) throw new WireError('A JSON value');
      return value as T;
    },
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The parts one after the other, each under its own name. */
export function struct<T extends object>(parts: {
  readonly [Name in keyof T]-?: Codec<T[Name]>;
}): Codec<T> {
  const names = Object.keys(parts) as (keyof T)[];
  return {
    write: (out, value) => {
      for (const name of names) parts[name].write(out, value[name]);
    },
    read: (from) => {
      const value = {} as T;
      for (const name of names) value[name] = parts[name].read(from);
      return value;
    },
  };
}
