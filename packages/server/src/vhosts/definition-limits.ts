import type { BindConfig, MessageQueueSystem } from 'wherry';
import { LimitReachedError } from '../access/errors.ts';
import { CountLimit } from './count-limit.ts';

/** Most of each that clients can make in a virtual host. */
export interface DefinitionsMax {
  readonly queues: number;
  readonly exchanges: number;
  readonly bindings: number;
}

/** What clients of all protocols may still define in a virtual host. */
export class DefinitionLimits {
  readonly #mq: MessageQueueSystem;
  readonly #limits: Readonly<Record<keyof DefinitionsMax, CountLimit>>;

  constructor(vhost: string, mq: MessageQueueSystem, max: DefinitionsMax) {
    this.#mq = mq;
    const limitOf = (kind: keyof DefinitionsMax, count: () => number): CountLimit =>
      new CountLimit(max[kind], count, () => {
        const what = `${kind} in the virtual host '${vhost}' (limits.${kind})`;
        return new LimitReachedError(what, max[kind]);
      });
    this.#limits = {
      queues: limitOf('queues', () => mq.listQueues().length),
      exchanges: limitOf('exchanges', () => mq.listExchanges().length),
      bindings: limitOf('bindings', () => mq.listBindings().length),
    };
  }

  /** To be called before one is made. @throws LimitReachedError */
  take(kind: 'queues' | 'exchanges'): void {
    this.#limits[kind].take();
  }

  /** The same; one that is there already is not another. @throws LimitReachedError, ValidationError */
  takeBinding(config: BindConfig): void {
    if (!this.#mq.exchangeManager.hasBinding(config)) this.#limits.bindings.take();
  }
}

const limits = new WeakMap<MessageQueueSystem, DefinitionLimits>();

/** @returns the one of the virtual host, whoever asks */
export function definitionLimitsOf(
  vhost: string,
  mq: MessageQueueSystem,
  max: DefinitionsMax,
): DefinitionLimits {
  let found = limits.get(mq);
  if (found === undefined) limits.set(mq, (found = new DefinitionLimits(vhost, mq, max)));
  return found;
}
