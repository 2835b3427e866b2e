/** A channel that does what the test says: it shows what a connection gives to a channel, and when. */
import type {
  ChannelEnd,
  ChannelHost,
  CreateChannel,
} from '../../../src/servers/amqp/contracts.ts';
import type { Method } from '../../../src/protocols/amqp/methods.ts';

export class StandInChannel implements ChannelEnd {
  readonly host: ChannelHost;
  readonly number: number;
  /** What has come, in order. */
  readonly seen: string[] = [];
  readonly flows: boolean[] = [];
  closes = 0;
  /** What `method` does beside writing down the name. */
  work: (method: Method) => void | Promise<void> = () => {};

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.host = host;
  }

  method(method: Method): void | Promise<void> {
    this.seen.push(method.name);
    return this.work(method);
  }

  header(): void {
    this.seen.push('header');
  }

  body(payload: Buffer): void {
    this.seen.push(`body ${payload.length}`);
  }

  flow(isActive: boolean): void {
    this.flows.push(isActive);
  }

  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }

  describe(): ReturnType<ChannelEnd['describe']> {
    return {
      number: this.number,
      prefetch: 0,
      globalPrefetch: 0,
      consumers: 0,
      unacknowledged: 0,
      unconfirmed: 0,
      isConfirm: false,
      isTransactional: false,
    };
  }
}

/** @returns what makes the channels, and those that were made, the last one at the end */
export function standIns(): { create: CreateChannel; made: StandInChannel[] } {
  const made: StandInChannel[] = [];
  const create: CreateChannel = (number, host) => {
    const channel = new StandInChannel(number, host);
    made.push(channel);
    return channel;
  };
  return { create, made };
}

/** @returns once it is so @throws after ten seconds */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`It did not happen within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
