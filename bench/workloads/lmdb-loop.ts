import { open } from 'lmdb';
import type { Figures } from '../harness/benchmark.ts';
import { InvalidRunError } from '../harness/delivery-check.ts';
import { inLanes, rateOf } from './lanes.ts';
import type { QueueLoad } from './wherry.ts';
import { OUTSTANDING } from './wherry.ts';

/**
 * The limit: the key-value store alone, with nothing of a queue but one record per message, put,
 * then read and removed. Every commit is fsynced, as ours are.
 * @returns the figures of `measureQueue`, of the same names
 * @throws InvalidRunError when a record was not there, or one is left
 */
export async function measureLmdb(
  folder: string,
  load: Omit<QueueLoad, 'storage' | 'stalledAfter'>,
): Promise<Figures> {
  const root = open({
    path: folder,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
  });
  const records = root.openDB<Buffer, Buffer>({
    name: 'records',
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  const value = Buffer.alloc(load.bytes, 7);

  let first = 0;
  const put = (index: number): Promise<boolean> => records.put(keyOf(first + index), value);
  const remove = async (index: number): Promise<void> => {
    const key = keyOf(first + index);
    if (records.get(key)?.length !== load.bytes) {
      throw new InvalidRunError(`The record ${first + index} is not what was put.`);
    }
    await records.remove(key);
  };
  const round = async (count: number, outstanding: number) => {
    const send = await rateOf(count, () => inLanes(count, outstanding, put));
    if (records.getCount() !== count) throw new InvalidRunError('Not every put was done.');
    const consume = await rateOf(count, () => inLanes(count, OUTSTANDING, remove));
    if (records.getCount() !== 0) throw new InvalidRunError('Not every record was removed.');
    first += count;
    return { send, consume };
  };

  await round(Math.ceil(load.messages / 10), OUTSTANDING);
  const { send: loneSend } = await round(load.loneSends, 1);
  const { send, consume } = await round(load.messages, OUTSTANDING);
  const both = await rateOf(load.messages, () =>
    inLanes(load.messages, OUTSTANDING, async (index) => {
      await put(index);
      await remove(index);
    }),
  );
  await root.close();
  return { loneSend, send, consume, both };
}

/** As long as the key of a queue, a priority and a sequence. */
function keyOf(number: number): Buffer {
  const key = Buffer.allocUnsafe(11);
  key.writeUInt32BE(1, 0);
  key[4] = 0;
  key.writeUIntBE(number, 5, 6);
  return key;
}
