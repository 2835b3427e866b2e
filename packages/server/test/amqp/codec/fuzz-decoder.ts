/**
 * Changes valid frames at random and decodes them. The one allowed outcome beside a value is an
 * AmqpError, and what was decoded must be what its own encoding says again.
 */
import fc from 'fast-check';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import { FrameWriter } from '../../../src/protocols/amqp/frame-writer.ts';
import { decodeContentHeader, FRAME, FrameDecoder } from '../../../src/protocols/amqp/frames.ts';
import { METHODS } from '../../../src/protocols/amqp/method-table.ts';
import { decodeMethod, encodeMethod } from '../../../src/protocols/amqp/methods.ts';
import {
  decodeProperties,
  encodeProperties,
  replaceProperties,
  scanProperties,
} from '../../../src/protocols/amqp/properties.ts';
import { parseAmqplain, parsePlain } from '../../../src/protocols/amqp/sasl.ts';
import {
  decodeTable,
  encodeTable,
  plainTable,
  tableOf,
} from '../../../src/protocols/amqp/table.ts';
import { numbersFrom, type RandomNumber } from '../random.ts';
import { methodOf, properties } from './arbitraries.ts';

const FRAME_MAX = 131_072;
const SAMPLES = 8;
const CHANGES_MAX = 4;
/** Lengths that are wrong almost everywhere, and letters that mean something in a table. */
const WORDS = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, FRAME_MAX, 65_535];
const OCTETS = [0, 1, 0x7f, 0x80, 0xff, 206, ...Buffer.from('tbBsuIilLfdDSxATFV')];

export interface FuzzReport {
  readonly cases: number;
  readonly decoded: number;
  readonly refused: number;
}

/**
 * @param seed repeats a run
 * @param isDone asked now and then
 * @throws Error a case had another outcome; it names the bytes
 */
export function fuzzDecoder(seed: number, isDone: (cases: number) => boolean): FuzzReport {
  const frames = validFrames(seed);
  const random = numbersFrom(seed);
  const report = { cases: 0, decoded: 0, refused: 0 };
  const { stackTraceLimit } = Error;
  // Most of the time would go into stacks that nobody reads.
  Error.stackTraceLimit = 0;
  try {
    while (report.cases % 1024 !== 0 || !isDone(report.cases)) {
      const input = mutate(frames, random);
      report.cases += 1;
      try {
        decode(input, random);
        report.decoded += 1;
      } catch (error) {
        if (!(error instanceof AmqpError)) throw new FuzzFailure(seed, input, error);
        report.refused += 1;
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return report;
}

class FuzzFailure extends Error {
  constructor(seed: number, input: Buffer, cause: unknown) {
    super(`seed ${seed}: ${String(cause)} for ${input.toString('hex')}`, { cause });
  }
}

/** Frames of every method, of content headers, bodies and heartbeats, and logins as bodies. */
function validFrames(seed: number): Buffer[] {
  const sample = { seed, numRuns: SAMPLES };
  const writer = new FrameWriter();
  const frames: Buffer[] = [];
  for (const spec of METHODS) {
    for (const { name, args } of fc.sample(methodOf(spec), sample)) {
      writer.method(1, name, args);
      frames.push(writer.take());
    }
  }
  for (const some of fc.sample(properties, { seed, numRuns: SAMPLES * 20 })) {
    // The body has a frame of its own, and one with the header together.
    writer.content(1, encodeProperties(some), Buffer.alloc(0), FRAME_MAX);
    frames.push(writer.take());
    writer.content(1, encodeProperties(some), Buffer.from('\0guest\0guest'), FRAME_MAX);
    frames.push(writer.take());
  }
  writer.content(
    1,
    Buffer.alloc(2),
    encodeTable(tableOf({ LOGIN: 'a', PASSWORD: 'b' })),
    FRAME_MAX,
  );
  frames.push(writer.take());
  writer.heartbeat();
  frames.push(writer.take());
  return frames;
}

function mutate(frames: readonly Buffer[], random: RandomNumber): Buffer {
  const other = frames[random(frames.length)]!;
  let bytes: Buffer = Buffer.from(frames[random(frames.length)]!);
  for (let left = 1 + random(CHANGES_MAX); left > 0; left--) {
    bytes = change(bytes, other, random);
  }
  // Most of them framed well, so that the payload is looked at.
  if (bytes.length >= 8 && random(8) > 0) {
    bytes.writeUInt32BE(bytes.length - 8, 3);
    bytes[bytes.length - 1] = 206;
  }
  return bytes;
}

function change(bytes: Buffer, other: Buffer, random: RandomNumber): Buffer {
  // Seldom the header of the frame.
  const from = Math.min(random(10) === 0 ? 0 : 7, bytes.length);
  const at = from + random(bytes.length - from);
  const some = random(12);
  switch (random(7)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = OCTETS[random(OCTETS.length)]!;
      return bytes;
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(WORDS[random(WORDS.length)]!, at);
      return bytes;
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + some)]);
    case 4:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(at, at + some),
        bytes.subarray(at),
      ]);
    case 5: {
      const start = random(other.length);
      const part = other.subarray(start, start + some);
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length))]);
  }
}

function decode(input: Buffer, random: RandomNumber): void {
  const decoder = new FrameDecoder(FRAME_MAX);
  const half = random(2) === 0 ? input.length : random(input.length);
  for (const chunk of [input.subarray(0, half), input.subarray(half)]) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
      const { type, payload } = frame;
      if (type === FRAME.method) checkMethod(payload);
      else if (type === FRAME.header) checkContentHeader(payload);
      else {
        parsePlain(payload);
        parseAmqplain(payload);
      }
    }
  }
}

function checkMethod(payload: Buffer): void {
  const { name, args } = decodeMethod(payload);
  const encoded = encodeMethod(name, args);
  const again = decodeMethod(encoded);
  if (again.name !== name || !encodeMethod(name, again.args).equals(encoded)) {
    throw new Error(`${name} became ${again.name}, or other arguments`);
  }
}

function checkContentHeader(payload: Buffer): void {
  const { properties: raw } = decodeContentHeader(payload);
  const { headersStart, headersEnd, priority } = scanProperties(raw);
  const without = replaceProperties(raw, { headers: null });
  if (scanProperties(without).headersStart !== -1) throw new Error('headers are left');
  const decoded = decodeProperties(raw);
  if (decoded.priority !== priority) throw new Error('the scan found another priority');
  if (decoded.headers === undefined) return;
  const headers = encodeTable(decodeTable(raw, headersStart, headersEnd));
  if (!headers.equals(encodeTable(decoded.headers)))
    throw new Error('the scan found other headers');
  JSON.stringify(plainTable(decoded.headers));
}
