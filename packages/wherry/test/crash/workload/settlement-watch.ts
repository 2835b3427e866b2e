import type { Driver, Receipt } from '../../../src/core/driver.ts';

/** Is told of every lease that somebody ends or tries to. */
export interface SettlementListener {
  /** How it went: `lost` is that the lease had ended before; an error, that nobody knows. */
  readonly settled: (receipt: Receipt, outcome: 'done' | 'lost' | Error) => void;
  /** Something is about to go back to a queue because nobody has begun with it. */
  readonly handingBack: (queue: string) => void;
}

/** The same driver, watched. @param listener null: nobody is there yet */
export function watchSettlements(
  driver: Driver,
  listener: () => SettlementListener | null,
): Driver {
  const tell = async <Answer>(
    receipts: readonly Receipt[],
    call: Promise<Answer>,
    outcomeOf: (answer: Answer, index: number) => 'done' | 'lost' | null,
  ): Promise<Answer> => {
    try {
      const answer = await call;
      receipts.forEach((receipt, index) => {
        const outcome = outcomeOf(answer, index);
        if (outcome !== null) listener()?.settled(receipt, outcome);
      });
      return answer;
    } catch (error) {
      for (const receipt of receipts) listener()?.settled(receipt, error as Error);
      throw error;
    }
  };
  const byIndex = (lost: readonly number[], index: number): 'done' | 'lost' =>
    lost.includes(index) ? 'lost' : 'done';
  const watched: Pick<Driver, 'settle' | 'release' | 'move'> = {
    settle: (receipts, ...rest) => tell(receipts, driver.settle(receipts, ...rest), byIndex),
    release: (items) => {
      const unstarted = items.filter(({ as }) => as === 'unstarted');
      const queues = new Set(unstarted.map(({ receipt }) => receipt.queue.name));
      for (const queue of queues) listener()?.handingBack(queue);
      return tell(receiptsOf(items), driver.release(items), byIndex);
    },
    move: (items) =>
      tell(receiptsOf(items), driver.move(items), (outcomes, index) => {
        const { status } = outcomes[index]!;
        // What could not go there is held on to.
        if (status === 'moved') return 'done';
        return status === 'lost' ? 'lost' : null;
      }),
  };
  return new Proxy(driver, {
    get(_, name) {
      if (name in watched) return watched[name as keyof typeof watched];
      const value: unknown = Reflect.get(driver, name);
      return typeof value === 'function' ? value.bind(driver) : value;
    },
  });
}

function receiptsOf(items: readonly { readonly receipt: Receipt }[]): Receipt[] {
  return items.map(({ receipt }) => receipt);
}
