import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopologyStore } from '../../src/core/driver.ts';
import { ExchangeManager } from '../../src/core/exchange-manager.ts';
import { Topology } from '../../src/core/topology.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';

const EXCHANGE = 'events';

/** A store tells of its entries in any order, and of what others change whenever it likes. */
function silentAndReversed(store: TopologyStore): TopologyStore {
  return {
    load: async () => (await store.load()).toReversed(),
    put: (...change) => store.put(...change),
    remove: (...change) => store.remove(...change),
    watch: () => () => undefined,
  };
}

test('a binding that is told of before what it binds is heeded', async () => {
  const driver = createMemoryDriver({ clock: new ManualClock() });
  await driver.open();
  const late = new Topology(silentAndReversed(driver.topology), 'dead-letter');
  await late.open();

  const first = new Topology(driver.topology, 'dead-letter');
  await first.open();
  for (const name of ['a', 'b']) await first.put('queue', name, () => ({ settings: {} }));
  const exchanges = new ExchangeManager(first);
  await exchanges.createExchange({ name: EXCHANGE, type: 'topic' });
  await exchanges.bind({ exchange: EXCHANGE, queue: 'a', routingKey: '*.urgent' });
  await exchanges.bind({ exchange: EXCHANGE, queue: 'b', routingKey: 'order.#' });

  await late.refresh();
  const route = (): readonly string[] => late.router.route(EXCHANGE, 'order.urgent').queues;
  assert.deepEqual(route().toSorted(), ['a', 'b']);

  // One that was removed before what it bound came is not added any more.
  await exchanges.unbind({ exchange: EXCHANGE, queue: 'b', routingKey: 'order.#' });
  await late.refresh();
  assert.deepEqual(route(), ['a']);
  await driver.close();
});
