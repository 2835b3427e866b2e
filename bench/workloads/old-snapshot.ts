import { Client } from 'pg';
import type { OpenContender } from '../contenders/contender.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { BenchServer } from '../harness/server.ts';
import { Stream, perSecond } from './stream.ts';

const BYTES = 100;
const PER_SECOND = 2_000;
/** Consumed as fast as it goes, to see how fast that is. */
const PROBE = 20_000;
const PROBES = 5;

/**
 * Messages come and go at a constant rate while a transaction elsewhere holds its snapshot open, so
 * that nothing of what is gone can be cleaned up.
 * @returns messages consumed per second before, and with the snapshot as old as `settings.minutes`
 *   says; and what is left of it
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureOldSnapshot(
  open: OpenContender,
  context: RunContext,
): Promise<Figures> {
  const { isQuick, settings } = context;
  const server = await BenchServer.find(context);
  const contender = await open(server.url);
  const stream = new Stream(contender, BYTES);
  const size = isQuick ? 200 : PROBE;
  const consumeRate = async (): Promise<number> => {
    let ms = 0;
    for (let probe = 0; probe < PROBES; probe++) {
      await stream.sendBest(size);
      ms += await stream.consume(size);
    }
    return perSecond(PROBES * size, ms);
  };
  await consumeRate();
  const fresh = await consumeRate();

  const reader = new Client({ connectionString: server.url });
  await reader.connect();
  await reader.query('begin isolation level repeatable read');
  await reader.query('select count(*) from pg_class');
  const messages = isQuick ? 200 : settings['minutes']! * 60 * PER_SECOND;
  await stream.atPace(messages, PER_SECOND);
  // As before the first: a client that has had little to do for minutes has to warm up again.
  await consumeRate();
  const old = await consumeRate();
  await reader.query('commit');
  await reader.end();
  await contender.close();
  return { fresh, old, kept: old / fresh };
}
