import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import pg from 'pg';
import { MessageQueueSystem } from '../../../src/message-queue-system.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { poll } from '../../servers/server-process.ts';

// The default is a second, for each deadlock.
const postgres = await startPostgres({ config: { deadlock_timeout: '10ms' } });
after(() => postgres.stop());

const QUEUES = ['a', 'b', 'c', 'd', 'e'];
const SYSTEMS = 5;
const CONSUMERS = 50;
const PRODUCERS = 50;
const ROUNDS = 12;

interface Work {
  readonly id: string;
  /** Its handlers throw. */
  readonly isPoison: boolean;
  /** To be sent on, in the transaction that acknowledges it. */
  readonly to: string | null;
}

test('fifty consumers and fifty producers over several queues: no deadlock', async (t) => {
  const url = await postgres.createDatabase();
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  t.after(() => pool.end());
  const first = await MessageQueueSystem.open({ storage: url });
  const systems = [first];
  t.after(() => Promise.all(systems.map((mq) => mq.close())));
  await first.createQueue({ name: 'dead' });
  for (const name of QUEUES) {
    await first.createQueue({
      name,
      deadLetterQueue: 'dead',
      maxRetries: 1,
      backoff: 5,
      maxSize: 100_000,
      groupMaxInFlight: name === 'b' ? 2 : 1,
      ...(name === 'c' && { maxInFlight: 20 }),
    });
  }
  await first.createExchange({ name: 'all', type: 'fanout' });
  for (const name of ['a', 'b', 'c']) await first.bind({ exchange: 'all', queue: name });
  // They know all of that from the beginning on.
  while (systems.length < SYSTEMS) systems.push(await MessageQueueSystem.open({ storage: url }));

  const done = new Map<string, number>();
  for (let n = 0; n < CONSUMERS; n += 1) {
    const mq = systems[n % SYSTEMS]!;
    const queueName = QUEUES[n % QUEUES.length]!;
    await mq.createConsumer<Work>({
      id: `consumer ${n}`,
      queueName,
      batchSize: 10,
      concurrency: 5,
      handler: async (delivery) => {
        const { payload } = delivery;
        if (payload.isPoison) throw new Error('never');
        const key = `${queueName} ${payload.id}`;
        done.set(key, (done.get(key) ?? 0) + 1);
        if (payload.to === null) return;
        const tx = await pool.connect();
        try {
          await tx.query('BEGIN');
          await mq.sendMessage(payload.to, { payload: { ...payload, to: null } }, { tx });
          await delivery.acknowledge({ tx });
          await tx.query('COMMIT');
        } finally {
          tx.release();
        }
      },
    });
  }

  const expected = new Set<string>();
  let dead = 0;
  const produce = async (n: number): Promise<void> => {
    const mq = systems[n % SYSTEMS]!;
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `${n}.${round}`;
      const queue = QUEUES[(n + round) % QUEUES.length]!;
      const next = QUEUES[(n + round + 2) % QUEUES.length]!;
      const isPoison = (n + round) % 9 === 0;
      const to = !isPoison && round % 3 === 0 ? next : null;
      const work: Work = { id, isPoison, to };
      const groupId = round % 2 === 0 ? `group ${n % 7}` : null;
      await mq.sendMessage(queue, { payload: work, ...(groupId !== null && { groupId }) });
      if (isPoison) dead += 1;
      else expected.add(`${queue} ${id}`);
      if (to !== null) expected.add(`${to} ${id}`);
      if (round % 4 !== 0) continue;
      const copy: Work = { id: `${id} to all`, isPoison: false, to: null };
      await mq.publish('all', '', { payload: copy, deduplicationId: copy.id });
      for (const name of ['a', 'b', 'c']) expected.add(`${name} ${copy.id}`);
    }
  };
  await Promise.all(Array.from({ length: PRODUCERS }, (_, n) => produce(n)));

  await poll(() => done.size === expected.size, 'all are handled', 60_000);
  await poll(
    async () => (await first.getQueueInfo('dead')).messageCount === dead,
    'those that failed are dead letters',
  );
  assert.deepEqual(new Set(done.keys()), expected);
  assert.deepEqual(
    [...done].filter(([, times]) => times !== 1),
    [],
    'each was handled once',
  );
  const { rows } = await pool.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  assert.equal(Number(rows[0]!.deadlocks), 0);
  assert.doesNotMatch(postgres.log, /deadlock detected/);
});
