import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import type {
  ConsumerRequest,
  QueueRegistry,
} from '../../../src/servers/amqp/definitions/queue-registry.ts';
import { queueTraits } from '../../../src/servers/amqp/definitions/queue-traits.ts';
import { declaration, NOTHING, open, openSlow, refused } from './registries.ts';

function consumer(tag: string, changed: Partial<ConsumerRequest> = {}): ConsumerRequest {
  const where = { connectionId: 'c1', channel: 1 };
  return { tag, ...where, exclusive: false, arguments: NOTHING, ...changed };
}

describe('queues', () => {
  it('are made once, and found by who declares the same', async (t) => {
    const { mq, queues } = await open(t);
    const args = tableOf({ 'x-max-length': 5, 'x-max-priority': 3, other: 'kept' });
    const declared = await queues.declare(declaration('q', { arguments: args }));
    assert.deepEqual(declared, { queue: 'q', messageCount: 0, consumerCount: 0 });
    await mq.sendMessage('q', { payload: 1 });
    await queues.addConsumer('q', consumer('t'));
    const again = await queues.declare(declaration('q', { arguments: args }));
    assert.deepEqual(again, { queue: 'q', messageCount: 1, consumerCount: 1 });
    const traits = queueTraits(mq.getQueue('q'));
    assert.deepEqual([...traits.arguments], [...args]);
    assert.equal(mq.getQueue('q').settings.maxPriority, 3);
    await assert.rejects(
      queues.declare(declaration('q')),
      refused(406, /'x-max-length' for queue 'q' in vhost '\/': received none/),
    );
    const transient = declaration('q', { arguments: args, durable: false });
    await assert.rejects(queues.declare(transient), refused(406, /inequivalent arg 'durable'/));
  });

  it('are one when many declare them at once', async (t) => {
    const { queues, mq } = await open(t);
    const all = await Promise.allSettled([
      ...Array.from({ length: 20 }, () => queues.declare(declaration('q'))),
      queues.declare(declaration('q', { autoDelete: true })),
    ]);
    assert.equal(all.filter(({ status }) => status === 'rejected').length, 1);
    assert.equal(queueTraits(mq.getQueue('q')).autoDelete, false);
  });

  it('of the library are durable and have no arguments', async (t) => {
    const { queues, mq } = await open(t);
    await mq.createQueue({ name: 'q', messageTtl: 5 });
    await queues.declare(declaration('q'));
    const wrong = declaration('q', { arguments: tableOf({ 'x-message-ttl': 5 }) });
    await assert.rejects(queues.declare(wrong), refused(406, /current is none/));
  });

  it('with a name that the store does not take are refused', async (t) => {
    const { queues } = await open(t);
    await assert.rejects(
      queues.declare(declaration('a\u0001')),
      refused(406, /control characters/),
    );
  });

  it('are deleted unless they are in use or hold messages, where that is asked for', async (t) => {
    const { queues, mq } = await open(t);
    await queues.declare(declaration('q'));
    await mq.sendMessage('q', { payload: 1 });
    const seat = await queues.addConsumer('q', consumer('t'));
    const how = { connectionId: 'c1', ifUnused: false, ifEmpty: false };
    const unless = (changed: object): Promise<number> => queues.delete('q', { ...how, ...changed });
    await assert.rejects(
      unless({ ifEmpty: true }),
      refused(406, /queue 'q' in vhost '\/' not empty/),
    );
    await assert.rejects(
      unless({ ifUnused: true }),
      refused(406, /queue 'q' in vhost '\/' in use/),
    );
    await seat.remove();
    let deletions = 0;
    queues.whenDeleted('q', () => deletions++);
    // In the hands of a consumer, the message does not count.
    await mq.receiveMessage('q', 'somebody');
    assert.equal(await unless({ ifUnused: true, ifEmpty: true }), 0);
    assert.equal(deletions, 1);
    assert.equal(await unless({}), 0);
    assert.throws(() => queues.check('q', 'c1'), refused(404, /no queue 'q' in vhost '\/'/));
  });

  it('are purged of what is ready', async (t) => {
    const { queues, mq } = await open(t);
    await queues.declare(declaration('q'));
    await mq.sendBatch('q', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
    await mq.receiveMessage('q', 'somebody');
    assert.equal(await queues.purge('q', 'c1'), 2);
    await assert.rejects(queues.purge('none', 'c1'), refused(404, /no queue 'none'/));
  });
});

describe('exclusive queues', () => {
  const locked = refused(
    405,
    /cannot obtain exclusive access to locked queue 'q' in vhost '\/'\. It/,
  );

  it('are their connection’s alone, and go with it', async (t) => {
    const { queues, mq, errors } = await open(t);
    const exclusive = declaration('q', { exclusive: true });
    await queues.declare(exclusive);
    await queues.declare(exclusive);
    assert.equal(queueTraits(mq.getQueue('q')).durable, false);
    const other = declaration('q', { exclusive: true, connectionId: 'c2' });
    await assert.rejects(queues.declare(other), locked);
    await assert.rejects(queues.declare(declaration('q')), locked);
    await assert.rejects(queues.declarePassive('q', 'c2'), locked);
    await assert.rejects(queues.purge('q', 'c2'), locked);
    const how = { connectionId: 'c2', ifUnused: false, ifEmpty: false };
    await assert.rejects(queues.delete('q', how), locked);
    const foreign = consumer('t', { connectionId: 'c2' });
    await assert.rejects(queues.addConsumer('q', foreign), locked);
    await queues.connectionClosed('c2');
    queues.check('q', 'c1');
    await queues.connectionClosed('c1');
    await assert.rejects(queues.declarePassive('q', 'c1'), refused(404, /no queue 'q'/));
    await queues.declare(declaration('q'));
    await assert.rejects(queues.declare(exclusive), locked);
    assert.deepEqual(errors, []);
  });

  it('go also when they were declared while the connection ended', async (t) => {
    const { queues, mq } = await open(t);
    const declaring = queues.declare(declaration('q', { exclusive: true }));
    await Promise.all([declaring, queues.connectionClosed('c1')]);
    assert.deepEqual(
      mq.listQueues().filter(({ name }) => name === 'q'),
      [],
    );
  });

  it('go together, and not one after the other', async (t) => {
    const { queues, mq, errors } = await openSlow(t);
    const many = (connectionId: string, count: number): Promise<unknown> => {
      const names = Array.from({ length: count }, (_, i) => `${connectionId}-${i}`);
      const exclusive = { exclusive: true, connectionId };
      return Promise.all(names.map((name) => queues.declare(declaration(name, exclusive))));
    };
    await Promise.all([many('alone', 20), many('together', 1_000)]);
    let begun = performance.now();
    for (let i = 0; i < 20; i++) {
      const how = { connectionId: 'alone', ifUnused: false, ifEmpty: false };
      await queues.delete(`alone-${i}`, how);
    }
    const aloneMs = (performance.now() - begun) / 20;
    begun = performance.now();
    await queues.connectionClosed('together');
    const togetherMs = (performance.now() - begun) / 1_000;
    assert.ok(togetherMs < aloneMs / 2, `${togetherMs} ms each, ${aloneMs} ms alone`);
    const left = mq.listQueues().filter(({ name }) => name.startsWith('together'));
    assert.deepEqual(left, []);
    assert.deepEqual(errors, []);
  });

  it('that were deleted do not take with them who has the name now', async (t) => {
    const { queues } = await open(t);
    await queues.declare(declaration('q', { exclusive: true }));
    await queues.delete('q', { connectionId: 'c1', ifUnused: false, ifEmpty: false });
    await queues.declare(declaration('q'));
    await queues.connectionClosed('c1');
    queues.check('q', 'c1');
  });
});

describe('consumers', () => {
  it('of a queue with auto-delete take it with them, the last one', async (t) => {
    const { queues } = await openSlow(t);
    await queues.declare(declaration('q', { autoDelete: true }));
    const first = await queues.addConsumer('q', consumer('a'));
    const second = await queues.addConsumer('q', consumer('b'));
    await first.remove();
    await first.remove();
    queues.check('q', 'c1');
    const removed = second.remove();
    // To clients it is gone at once.
    assert.throws(() => queues.check('q', 'c1'), refused(404, /no queue 'q'/));
    await assert.rejects(queues.addConsumer('q', consumer('c')), refused(404, /no queue 'q'/));
    const declaredAgain = queues.declare(declaration('q'));
    await removed;
    await declaredAgain;
    queues.check('q', 'c1');
  });

  it('may be alone', async (t) => {
    const { queues } = await open(t);
    await queues.declare(declaration('q'));
    const inUse = refused(403, /^ACCESS_REFUSED - queue 'q' in vhost '\/' in exclusive use$/);
    const alone = await queues.addConsumer('q', consumer('a', { exclusive: true }));
    await assert.rejects(queues.addConsumer('q', consumer('b')), inUse);
    await alone.remove();
    await queues.addConsumer('q', consumer('b'));
    await assert.rejects(queues.addConsumer('q', consumer('c', { exclusive: true })), inUse);
  });

  it('take turns where one is active at a time', async (t) => {
    const { queues } = await open(t);
    const args = tableOf({ 'x-single-active-consumer': true });
    await queues.declare(declaration('q', { arguments: args }));
    const turns: string[] = [];
    const add = (tag: string): ReturnType<QueueRegistry['addConsumer']> =>
      queues.addConsumer('q', consumer(tag, { onActive: () => turns.push(tag) }));
    const [a, b, c] = [await add('a'), await add('b'), await add('c')];
    assert.deepEqual([a.isActive, b.isActive, c.isActive], [true, false, false]);
    await b.remove();
    assert.deepEqual(turns, []);
    await a.remove();
    assert.deepEqual(turns, ['c']);
    assert.deepEqual(
      queues.consumers('q').map((seat) => seat.isActive),
      [true],
    );
    const alone = consumer('d', { exclusive: true });
    await assert.rejects(queues.addConsumer('q', alone), refused(403, /in exclusive use/));
    await c.remove();
    await assert.rejects(queues.addConsumer('q', alone), refused(403, /in exclusive use/));
    assert.equal((await add('e')).isActive, true);
  });

  it('and their queue go when it is deleted by others', async (t) => {
    const { queues, mq } = await open(t);
    await queues.declare(declaration('q'));
    const seat = await queues.addConsumer('q', consumer('a'));
    let deletions = 0;
    const stop = queues.whenDeleted('q', () => deletions++);
    queues.whenDeleted('q', () => deletions++);
    stop();
    await mq.deleteQueue('q', { force: true });
    assert.equal(deletions, 1);
    await queues.declare(declaration('q', { autoDelete: true }));
    await seat.remove();
    queues.check('q', 'c1');
    assert.deepEqual(queues.consumers('q'), []);
  });
});
