import type { MessageQueueSystem, SendResult } from '../../../src/index.ts';
import type { Call, SendInvoked } from '../history.ts';
import { EXCHANGE } from '../plan.ts';
import type { Recorder } from '../recorder.ts';
import { hashOf, messageOf, type Spec } from './messages.ts';

/** Whoever waits for room longer than this holds everybody up. */
const OPTIONS = { blockTimeout: 150 } as const;

/** Sends messages and records how it went. */
export class Sends {
  readonly #mq: MessageQueueSystem;
  readonly #recorder: Recorder;

  constructor(mq: MessageQueueSystem, recorder: Recorder) {
    this.#mq = mq;
    this.#recorder = recorder;
  }

  /**
   * To a queue or, if the spec has a routing key, through the exchange.
   * @returns whether it is known if it was stored
   */
  async send(spec: Spec): Promise<boolean> {
    const invoked = this.#invoke(spec);
    this.#recorder.record(invoked);
    const { call, routingKey, queues } = invoked;
    try {
      if (routingKey === null) {
        const id = await this.#mq.sendMessage(queues[0]!, messageOf(spec), OPTIONS);
        // Which of two sends with one deduplicationId was the first, this call does not say.
        this.#recorder.record({ op: 'send', phase: 'ok', call, ids: [id], duplicate: false });
      } else {
        const published = await this.#mq.publish(EXCHANGE, routingKey, messageOf(spec), OPTIONS);
        const ids = queues.map((queue) => published.ids[published.queues.indexOf(queue)] ?? '');
        const { duplicate } = published;
        this.#recorder.record({ op: 'send', phase: 'ok', call, ids, duplicate });
      }
      return true;
    } catch (error) {
      return this.#recorder.recordFailure('send', call, error) === 'fail';
    }
  }

  /** All to one queue, in one call. */
  async sendBatch(specs: readonly Spec[], atomic: boolean): Promise<void> {
    const atomicBatch = atomic ? this.#recorder.nextCall() : null;
    const invoked = specs.map((spec) => this.#invoke({ ...spec, atomicBatch }));
    this.#recorder.record(...invoked);
    try {
      const messages = specs.map((spec) => messageOf(spec));
      const results = await this.#mq.sendBatch(specs[0]!.queues[0]!, messages, {
        ...OPTIONS,
        atomic,
      });
      results.forEach((result, i) => this.#recordResult(invoked[i]!.call, result));
    } catch (error) {
      for (const { call } of invoked) this.#recorder.recordFailure('send', call, error);
    }
  }

  #recordResult(call: Call, result: SendResult): void {
    if (result.ok) {
      const { id, duplicate } = result;
      this.#recorder.record({ op: 'send', phase: 'ok', call, ids: [id], duplicate });
    } else this.#recorder.recordFailure('send', call, result.error);
  }

  #invoke(spec: Spec): SendInvoked {
    const bodyHash = hashOf(messageOf(spec));
    return { op: 'send', phase: 'invoke', call: this.#recorder.nextCall(), ...spec, bodyHash };
  }
}
