import { Redis } from 'ioredis';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const STREAM = 'bench';
const GROUP = 'bench';
const COUNT = 1_000;
const BLOCK_MS = 100;

type Entries = [stream: string, entries: [id: string, fields: string[]][]][] | null;

/**
 * The limit: a stream and a consumer group through the same client, commands pipelined, with nothing
 * of a queue on top: no retries, no dead letters, no delays, nothing removed.
 */
export async function openRedisStreams(url: string): Promise<Contender> {
  const sender = new Redis(url, { enableAutoPipelining: true });
  await sender.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
  const add = (payload: Payload): Promise<unknown> =>
    sender.xadd(STREAM, '*', 'p', JSON.stringify(payload));
  return {
    sendsBestIn: 'ones',
    send: add,
    sendBatch: (payloads) => Promise.all(payloads.map(add)),
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const reader = new Redis(url);
      const acknowledger = new Redis(url, { enableAutoPipelining: true });
      const stopped = new AbortController();
      const read = async (): Promise<void> => {
        while (!stopped.signal.aborted) {
          const answer = (await reader.xreadgroup(
            'GROUP',
            GROUP,
            'bench',
            'COUNT',
            COUNT,
            'BLOCK',
            BLOCK_MS,
            'STREAMS',
            STREAM,
            '>',
          )) as Entries;
          const acknowledged: Promise<unknown>[] = [];
          for (const [id, [, body = '']] of answer?.[0]?.[1] ?? []) {
            handle(JSON.parse(body) as Payload);
            acknowledged.push(acknowledger.xack(STREAM, GROUP, id).then(() => countdown.count()));
          }
          // Reading on while these are on their way would be unfair to nobody, but they would pile up.
          await Promise.all(acknowledged);
        }
      };
      const reading = read();
      return {
        done: countdown.done,
        async stop() {
          stopped.abort();
          await reading;
          for (const client of [reader, acknowledger]) client.disconnect();
        },
      };
    },
    async close() {
      sender.disconnect();
    },
  };
}
