import { setTimeout as sleep } from 'node:timers/promises';
import type { SendInvoked } from '../history.ts';
import { PURGED, ROUTES } from '../plan.ts';
import type { Random } from '../random.ts';
import type { Gate } from './gate.ts';
import { chooseKind, POISON, type Spec } from './messages.ts';
import type { Sends } from './sends.ts';

export interface ProducerOptions {
  readonly name: string;
  readonly process: number;
  readonly sends: Sends;
  readonly gate: Gate;
  readonly random: Random;
  /** Sends of earlier processes that nobody knows the outcome of; they are sent again. */
  readonly inDoubt: readonly SendInvoked[];
  /** One of its messages kills every process that handles it. */
  readonly isPoisoner: boolean;
  /** Milliseconds between two steps; null: as fast as sends are confirmed. */
  readonly pause: { readonly min: number; readonly max: number } | null;
  readonly signal: AbortSignal;
}

const QUEUES = { plain: 6, work: 6, grouped: 5, batched: 4, timed: 3, bounded: 4, [PURGED]: 2 };
const WAYS = { one: 8, burst: 5, batch: 3, atomic: 2, publish: 5, again: 2 };
/** Groups change their names after so many messages of a producer, so that none grows large. */
const GROUP_SPAN = 40;

/** Sends messages of all sorts, in all ways, as fast as they are confirmed. */
export class Producer {
  readonly #options: ProducerOptions;
  #seq = 0;
  #lastDeduplicated: Spec | null = null;
  /** Its own sends that it does not know the outcome of, and that may safely be sent again. */
  readonly #inDoubt: Spec[] = [];

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { gate, random, inDoubt, signal, isPoisoner, pause } = this.#options;
    for (const { op: _, phase: __, call: ___, bodyHash: ____, ...spec } of inDoubt) {
      await gate.pass(() => this.#send(spec));
    }
    if (isPoisoner) await gate.pass(() => this.#send({ ...this.#spec('plain'), kind: POISON }));
    while (!signal.aborted) {
      await gate.pass(() => this.#step());
      if (pause !== null) await sleep(random.integer(pause.min, pause.max));
      else if (random.chance(0.15)) await sleep(random.integer(0, 8));
    }
  }

  async #step(): Promise<void> {
    const { random, sends } = this.#options;
    for (const spec of this.#inDoubt.splice(0)) await this.#send(spec);
    const queue = random.weighted(QUEUES);
    switch (random.weighted(WAYS)) {
      case 'one':
        return this.#send(this.#spec(queue));
      case 'burst':
        await Promise.all(this.#specs(queue, random.integer(2, 12)).map((one) => this.#send(one)));
        return;
      case 'batch':
        return sends.sendBatch(this.#specs(queue, random.integer(1, 15)), false);
      case 'atomic': {
        const specs = this.#specs(queue, random.integer(2, 8));
        return sends.sendBatch(
          specs.map((spec) => ({ ...spec, deduplicationId: null })),
          true,
        );
      }
      case 'publish':
        return this.#send(this.#routed());
      case 'again':
        if (this.#lastDeduplicated !== null) await this.#send(this.#lastDeduplicated);
    }
  }

  async #send(spec: Spec): Promise<void> {
    const isDeduplicated = spec.deduplicationId !== null;
    if (isDeduplicated) this.#lastDeduplicated = spec;
    const isKnown = await this.#options.sends.send(spec);
    if (isDeduplicated && !isKnown) this.#inDoubt.push(spec);
  }

  #specs(queue: string, count: number): Spec[] {
    return Array.from({ length: count }, () => this.#spec(queue));
  }

  #spec(queue: string): Spec {
    const { name, process, random } = this.#options;
    const seq = this.#seq++;
    const key = `${name}:${process}:${seq}`;
    const grouped = queue === 'grouped' || queue === 'batched';
    const mayExpire = queue === 'work' || queue === 'timed';
    const ttl = mayExpire && random.chance(0.1) ? random.integer(30, 400) : null;
    const isDeduplicated = queue !== 'timed' && ttl === null && random.chance(0.15);
    return {
      key,
      producer: name,
      seq,
      queues: [queue],
      priority: queue === 'work' || grouped ? random.integer(0, 4) : 0,
      group: grouped ? this.#group(seq) : null,
      delay: random.chance(queue === 'timed' ? 0.5 : 0.07) ? random.integer(5, 200) : 0,
      ttl,
      maxRetries: random.chance(0.04) ? random.integer(0, 2) : null,
      deduplicationId: isDeduplicated ? `once-${key}` : null,
      atomicBatch: null,
      kind: chooseKind(random),
      routingKey: null,
    };
  }

  /** Shared with the other producers of this process and, for a while, with those of the next. */
  #group(seq: number): string {
    const { process, random } = this.#options;
    return `g${random.integer(0, 5)}-${Math.floor(process / 2)}-${Math.floor(seq / GROUP_SPAN)}`;
  }

  #routed(): Spec {
    const routingKey = this.#options.random.pick(Object.keys(ROUTES));
    const queues = ROUTES[routingKey]!;
    return { ...this.#spec(queues.includes('grouped') ? 'grouped' : 'plain'), queues, routingKey };
  }
}
