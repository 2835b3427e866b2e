import type { ChannelHost } from '../contracts.ts';

/** Gets of a connection that are answered at once: each may bring a large message. */
const GETS_AT_ONCE = 8;

const turns = new WeakMap<ChannelHost, GetTurns>();

/** @returns the one of the connection */
export function getTurnsOf(host: ChannelHost): GetTurns {
  let found = turns.get(host);
  if (found === undefined) turns.set(host, (found = new GetTurns(host)));
  return found;
}

/** Lets a connection's gets, which may come on all its channels, wait until its client reads. */
export class GetTurns {
  readonly #host: ChannelHost;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #isClosed = false;

  constructor(host: ChannelHost) {
    this.#host = host;
    host.onDrain(() => this.#goOn());
    host.onClose(() => {
      this.#isClosed = true;
      this.#goOn();
    });
  }

  /** Whoever has entered must leave. @returns null: at once */
  enter(): Promise<void> | null {
    if (this.#waiting.length > 0 || !this.#isFree) {
      return new Promise((resolve) => this.#waiting.push(resolve));
    }
    this.#underWay++;
    return null;
  }

  leave(): void {
    this.#underWay--;
    this.#goOn();
  }

  get #isFree(): boolean {
    return this.#isClosed || (this.#underWay < GETS_AT_ONCE && this.#host.mayDeliver);
  }

  #goOn(): void {
    while (this.#waiting.length > 0 && this.#isFree) {
      this.#underWay++;
      this.#waiting.shift()!();
    }
  }
}
