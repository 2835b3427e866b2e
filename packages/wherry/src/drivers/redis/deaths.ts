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

/** @returns error, stack and route as JSON, or '' when there is none of them */
export function restOfDeath({ error, stack, route }: NewDeath): string {
  const json = JSON.stringify({ error, stack, route });
  return json === '{}' ? '' : json;
}

/** @param end where the entries end in `bytes` */
export function decodeDeaths(bytes: Buffer, start: number, end: number): Death[] {
  const deaths: Death[] = [];
  for (let at = start; at < end;) {
    const queueAt = at + 2;
    const reasonAt = queueAt + bytes.readUInt16BE(at) + 1;
    const timeAt = reasonAt + bytes[reasonAt - 1]!;
    const restAt = timeAt + 14;
    at = restAt + bytes.readUInt32BE(timeAt + 10);
    const rest = bytes.toString('utf8', restAt, at);
    deaths.push({
      queue: bytes.toString('utf8', queueAt, reasonAt - 1),
      reason: bytes.toString('utf8', reasonAt, timeAt) as DeathReason,
      time: bytes.readUIntBE(timeAt, 6),
      count: bytes.readUInt32BE(timeAt + 6),
      ...(rest !== '' && (JSON.parse(rest) as Pick<Death, 'error' | 'stack' | 'route'>)),
    });
  }
  return deaths;
}
