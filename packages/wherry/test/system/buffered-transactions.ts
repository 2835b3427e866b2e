/**
 * A store with transactions, for core's own rules about them: what a transaction does is kept aside
 * until it commits. (The real ones are tested with the stores that have them.)
 */
import type {
  Driver,
  PublishItem,
  PublishOutcome,
  QueueRef,
  Receipt,
  Transaction,
} from '../../src/core/driver.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { createMemoryDriver } from '../../src/testing/index.ts';
import { override } from '../drivers/planted/plant.ts';

/** What a caller has: as a `pg` client after its BEGIN. */
export interface BufferedTransaction extends Transaction {
  readonly commit: () => Promise<void>;
  readonly rollback: () => void;
}

export class BufferedStore {
  readonly clock: ManualClock = new ManualClock();
  readonly driver: Driver;
  /** Every call that came with a transaction: its method and how many items it had. */
  readonly statements: string[] = [];
  readonly #memory: Driver;

  constructor() {
    this.#memory = createMemoryDriver({ clock: this.clock });
    const { supports } = this.#memory;
    this.driver = override(this.#memory, {
      supports: { ...supports, transactions: true },
      publish: async (items, options = {}) => {
        const { transaction } = options;
        if (transaction === undefined) return this.#memory.publish(items, options);
        return (await transaction.query('publish', [items])) as readonly PublishOutcome[];
      },
      settle: async (receipts, options = {}) => {
        const { transaction } = options;
        if (transaction === undefined) return this.#memory.settle(receipts);
        return (await transaction.query('settle', [receipts])) as readonly number[];
      },
    });
  }

  begin(): BufferedTransaction {
    let publishes: PublishItem[] = [];
    let settles: Receipt[] = [];
    const end = (): void => {
      publishes = [];
      settles = [];
    };
    return {
      query: async (text, [batch]) => {
        const items = batch as readonly unknown[];
        this.statements.push(`${text} ${items.length}`);
        if (text === 'settle') {
          const receipts = items as readonly Receipt[];
          const lost = await this.#lost(receipts);
          settles.push(...receipts.filter((_, i) => !lost.includes(i)));
          return lost;
        }
        const outcomes: PublishOutcome[] = [];
        for (const item of items as readonly PublishItem[]) {
          const full = await this.#firstFull(item.targets);
          if (full === undefined) publishes.push(item);
          outcomes.push(
            full === undefined
              ? { status: 'stored', id: `given-${publishes.length}` }
              : { status: 'full', queue: full.name, limit: 'maxSize' },
          );
        }
        return outcomes;
      },
      commit: async () => {
        await this.#memory.publish(publishes);
        await this.#memory.settle(settles);
        end();
      },
      rollback: end,
    };
  }

  async #lost(receipts: readonly Receipt[]): Promise<number[]> {
    const lost: number[] = [];
    for (const [i, { id, token }] of receipts.entries()) {
      const lease = (await this.#memory.get(id))?.lease;
      if (lease?.token !== token || lease.until <= this.clock.now()) lost.push(i);
    }
    return lost;
  }

  async #firstFull(targets: readonly QueueRef[]): Promise<QueueRef | undefined> {
    for (const target of targets) {
      const { ready, scheduled, leased } = await this.#memory.counts(target);
      if (ready + scheduled + leased >= target.maxSize) return target;
    }
    return undefined;
  }
}
