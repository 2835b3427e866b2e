import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import type { ExchangeRegistry } from '../../../src/servers/amqp/definitions/exchange-registry.ts';
import { declaration, NOTHING, open, openSlow, refused } from './registries.ts';

describe('exchanges', () => {
  const exchange = (
    name: string,
    changed: object = {},
  ): Parameters<ExchangeRegistry['declare']>[0] => ({
    name,
    type: 'fanout',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: NOTHING,
    ...changed,
  });
  const binding = (
    source: string,
    kind: 'queue' | 'exchange',
    name: string,
    changed: object = {},
  ): Parameters<ExchangeRegistry['bind']>[0] => ({
    source,
    destination: { kind, name },
    routingKey: '',
    arguments: NOTHING,
    ...changed,
  });

  it('are made once, and found by who declares the same', async (t) => {
    const { exchanges, mq } = await open(t);
    await exchanges.declare(exchange('x'));
    await exchanges.declare(exchange('x', { arguments: tableOf({ unknown: 1 }) }));
    const what = "for exchange 'x' in vhost '/': received";
    const alternate = tableOf({ 'alternate-exchange': 'zz' });
    for (const [changed, text] of [
      [{ type: 'topic' }, `inequivalent arg 'type' ${what} 'topic' but current is 'fanout'`],
      [{ durable: false }, `inequivalent arg 'durable' ${what} 'false' but current is 'true'`],
      [
        { autoDelete: true },
        `inequivalent arg 'auto_delete' ${what} 'true' but current is 'false'`,
      ],
      [{ internal: true }, `inequivalent arg 'internal' ${what} 'true' but current is 'false'`],
      [
        { arguments: alternate },
        `inequivalent arg 'alternate-exchange' ${what} the value 'zz' of type 'longstr' ` +
          'but current is none',
      ],
    ] as const) {
      await assert.rejects(exchanges.declare(exchange('x', changed)), {
        message: `PRECONDITION_FAILED - ${text}`,
      });
    }
    await mq.createExchange({ name: 'library', type: 'direct', alternateExchange: 'zz' });
    await exchanges.declare(exchange('library', { type: 'direct', arguments: alternate }));
    const delayed = {
      type: 'x-delayed-message',
      arguments: tableOf({ 'x-delayed-type': 'topic' }),
    };
    await exchanges.declare(exchange('late', delayed));
    const otherwise = { ...delayed, arguments: tableOf({ 'x-delayed-type': 'direct' }) };
    await assert.rejects(
      exchanges.declare(exchange('late', otherwise)),
      refused(406, /'x-delayed-type'.*received 'direct' but current is 'topic'/),
    );
  });

  it('are deleted unless they are in use, where that is asked for', async (t) => {
    const { exchanges, queues } = await open(t);
    await exchanges.declare(exchange('x'));
    await queues.declare(declaration('q'));
    await exchanges.bind(binding('x', 'queue', 'q'));
    await assert.rejects(
      exchanges.delete('x', { ifUnused: true }),
      refused(406, /exchange 'x' in vhost '\/' in use$/),
    );
    await exchanges.delete('x', { ifUnused: false });
    await exchanges.delete('x', { ifUnused: true });
    assert.throws(() => exchanges.check('x'), refused(404, /no exchange 'x' in vhost '\/'/));
  });

  it('have as many bindings as differ', async (t) => {
    const { exchanges, queues, mq } = await open(t);
    await exchanges.declare(exchange('x', { type: 'headers' }));
    await queues.declare(declaration('q'));
    for (const args of [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 1n, b: 2 }, { a: 1 }, {}]) {
      await exchanges.bind(binding('x', 'queue', 'q', { arguments: tableOf(args) }));
    }
    assert.equal(mq.listBindings({ exchange: 'x' }).length, 4);
    await exchanges.unbind(binding('x', 'queue', 'q', { arguments: tableOf({ a: 1n, b: 2 }) }));
    await exchanges.unbind(binding('x', 'queue', 'q', { arguments: tableOf({ a: 3 }) }));
    assert.equal(mq.listBindings({ exchange: 'x' }).length, 3);
    await assert.rejects(
      exchanges.bind(binding('x', 'queue', 'none')),
      refused(404, /no queue 'none'/),
    );
    await assert.rejects(
      exchanges.bind(binding('none', 'queue', 'none')),
      refused(404, /no exchange 'none'/),
    );
  });

  it('with auto-delete go with the last binding, and others with them', async (t) => {
    const { exchanges, queues, mq, errors } = await open(t);
    const names = (): string[] => mq.listExchanges().map(({ name }) => name);
    await queues.declare(declaration('q'));
    for (const name of ['outer', 'inner']) {
      await exchanges.declare(exchange(name, { autoDelete: true }));
    }
    await exchanges.settled();
    assert.equal(names().length, 2, 'one that was never bound stays');
    await exchanges.bind(binding('outer', 'exchange', 'inner'));
    await exchanges.bind(binding('inner', 'queue', 'q', { routingKey: 'a' }));
    await exchanges.bind(binding('inner', 'queue', 'q', { routingKey: 'b' }));
    await exchanges.unbind(binding('inner', 'queue', 'q', { routingKey: 'a' }));
    assert.equal(names().length, 2);
    await exchanges.unbind(binding('inner', 'queue', 'q', { routingKey: 'b' }));
    assert.deepEqual(names(), []);
    assert.deepEqual(errors, []);
  });

  it('with auto-delete go with their last queue, whoever deletes it', async (t) => {
    const { exchanges, queues, mq } = await open(t);
    await exchanges.declare(exchange('x', { autoDelete: true }));
    await queues.declare(declaration('q'));
    await exchanges.bind(binding('x', 'queue', 'q'));
    await mq.deleteQueue('q');
    const deadline = Date.now() + 5_000;
    while (mq.listExchanges().length > 0 && Date.now() < deadline) await setTimeout(5);
    assert.deepEqual(mq.listExchanges(), []);
  });

  it('with auto-delete stay for a binding that is on its way', async (t) => {
    const { exchanges, queues, mq } = await openSlow(t);
    await exchanges.declare(exchange('x', { autoDelete: true }));
    await queues.declare(declaration('q'));
    await exchanges.bind(binding('x', 'queue', 'q', { routingKey: 'a' }));
    const later = binding('x', 'queue', 'q', { routingKey: 'b' });
    await mq.unbind({ exchange: 'x', queue: 'q', routingKey: 'a' });
    const bound = exchanges.bind(later);
    await exchanges.settled();
    await bound;
    exchanges.check('x');
    await exchanges.unbind(later);
    assert.throws(() => exchanges.check('x'), refused(404, /no exchange 'x'/));
  });
});
