import { crc32 } from 'node:zlib';
import { get32, put32 } from './keys.ts';

/** @returns a JSON value behind its CRC-32 */
export function encodeChecked(value: unknown): Buffer {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes.write(text, 4);
  put32(bytes, crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** @returns what `encodeChecked` was given, or undefined when the bytes are damaged */
export function decodeChecked(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 4, Math.max(0, bytes.length - 4));
  if (bytes.length < 4 || get32(bytes, 0) !== crc32(text)) return undefined;
  return JSON.parse(text.toString());
}
