/** Death records as lua/deaths.lua describes them. */
import type { Death, DeathReason, NewDeath } from '../../core/message.ts';

/** @returns one entry after the other; nothing when there is none */
export function encodeDeaths(deaths: readonly Death[]): Buffer | null {
  return deaths.length === 0 ? null : Buffer.concat(deaths.map(encodeDeath));
}

function encodeDeath(death: Death): Buffer {
  const queue = Buffer.from(death.queue);
  const reason = Buffer.from(death.reason);
  const rest = Buffer.from(restOfDeath(death));
  const entry = Buffer.alloc(17 + queue.length + reason.length + rest.length);
  let at = entry.writeUInt16BE(queue.length);
  at += queue.copy(entry, at);
  at = entry.writeUInt8(reason.length, at);
  at += reason.copy(entry, at);
  at = entry.writeUIntBE(death.time, at, 6);
  at = entry.writeUInt32BE(death.count, at);
  at = entry.writeUInt32BE(rest.length, at);
  rest.copy(entry, at);
  return entry;
}

/** @returns error and stack as JSON, or '' when there is neither */
export function restOfDeath({ error, stack }: NewDeath): string {
  return error === undefined && stack === undefined ? '' : JSON.stringify({ error, stack });
}

/** @param end where the entries end in `bytes` */
export function decodeDeaths(bytes: Buffer, start: number, end: number): Death[] {
  const deaths: Death[] = [];
  let at = start;
  const text = (length: number): string => bytes.toString('utf8', at, (at += length));
  const number = (length: number): number => bytes.readUIntBE((at += length) - length, length);
  while (at < end) {
    const queue = text(number(2));
    const reason = text(number(1)) as DeathReason;
    const time = number(6);
    const count = number(4);
    const rest = text(number(4));
    const more = rest === '' ? {} : (JSON.parse(rest) as Pick<Death, 'error' | 'stack'>);
    deaths.push({ queue, reason, time, count, ...more });
  }
  return deaths;
}
