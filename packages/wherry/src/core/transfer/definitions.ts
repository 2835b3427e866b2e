import { differingSettings, mergeQueueSettings, type QueueSettings } from '../queue-settings.ts';
import type { QueueDocument } from '../queue.ts';
import type { Binding, Exchange } from '../routing/exchange.ts';
import { QueueExistsError } from '../errors.ts';
import { ExchangeManager } from '../exchange-manager.ts';
import type { Topology } from '../topology.ts';
import type { Side } from './side.ts';

export interface QueueDefinition extends QueueDocument {
  readonly name: string;
}

/** Everything in a store that is no message. */
export interface Definitions {
  readonly queues: readonly QueueDefinition[];
  readonly exchanges: readonly Exchange[];
  readonly bindings: readonly Binding[];
}

/**
 * What is defined in a store.
 * @param names only these queues, and the exchanges whose messages reach them; left out: everything
 * @throws QueueNotFoundError
 */
export function readDefinitions(topology: Topology, names?: readonly string[]): Definitions {
  const queues = (names?.map((name) => topology.queue(name)) ?? topology.queues())
    .map(({ name, settings, createdAt }) => ({ name, settings, createdAt: createdAt.getTime() }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const exchanges = topology.list('exchange').map(({ value }) => value as Exchange);
  const bindings = topology.list('binding').map(({ value }) => value as Binding);
  if (names === undefined) return { queues, exchanges, bindings };
  const leading = bindingsLeadingTo(names, bindings);
  const from = new Set(leading.map(({ exchange }) => exchange));
  return {
    queues,
    exchanges: exchanges.filter(({ name }) => from.has(name)),
    bindings: leading,
  };
}

/** Those to the queues, and those to the exchanges that are bound so. */
function bindingsLeadingTo(names: readonly string[], bindings: readonly Binding[]): Binding[] {
  const reached = new Set(names.map((name) => `queue/${name}`));
  const leading = new Set<Binding>();
  for (let before = -1; before !== leading.size;) {
    before = leading.size;
    for (const binding of bindings) {
      const { type, name } = binding.destination;
      if (!reached.has(`${type}/${name}`)) continue;
      leading.add(binding);
      reached.add(`exchange/${binding.exchange}`);
    }
  }
  return [...leading];
}

/**
 * Makes what is defined in another store, as far as it is not there.
 * @param options.keepSettings a queue that is there with other settings keeps them
 * @throws QueueExistsError, UnsupportedError …; then some may be made, and a second time goes on
 */
export async function writeDefinitions(
  side: Side,
  definitions: Definitions,
  options: { readonly keepSettings: boolean },
): Promise<void> {
  const { topology } = side;
  for (const queue of definitions.queues) {
    const settings = settingsFor(side, queue.settings);
    await defineQueue(topology, { ...queue, settings }, options.keepSettings);
  }
  const manager = new ExchangeManager(topology);
  for (const exchange of definitions.exchanges) await manager.createExchange(exchange);
  for (const { destination, headers, ...rest } of definitions.bindings) {
    await manager.bind({
      ...rest,
      ...(headers === null ? {} : { headers }),
      ...(destination.type === 'queue'
        ? { queue: destination.name }
        : { destinationExchange: destination.name }),
    });
  }
}

/** A queue is whole where a store cannot spread it. */
export function settingsFor({ driver }: Side, settings: QueueSettings): QueueSettings {
  return driver.supports.partitions === true ? settings : { ...settings, partitions: 1 };
}

async function defineQueue(
  topology: Topology,
  { name, settings, createdAt }: QueueDefinition,
  keepSettings: boolean,
): Promise<void> {
  await topology.put('queue', name, (present) => {
    if (present === undefined) return { settings, createdAt };
    const other = mergeQueueSettings((present.value as QueueDocument).settings);
    const differing = differingSettings(settings, other);
    if (differing.length > 0 && !keepSettings) throw new QueueExistsError('Queue', name, differing);
    return null;
  });
}
