export interface HeartbeatOptions {
  /** As both sides agreed; 0: there is none. */
  readonly seconds: number;
  /** Shows the client that we are there, unless it has just been shown. */
  readonly beat: () => void;
  /** False: the socket is not read, so that silence says nothing about the client. */
  readonly isListening: () => boolean;
  /** Nothing was heard of the client for two intervals. */
  readonly lost: () => void;
}

/** Looked at twice in an interval: silence of four looks is one of two intervals. */
const LOOKS_PER_INTERVAL = 2;
const SILENT_LOOKS_MAX = 2 * LOOKS_PER_INTERVAL;

/** Says that we are there, and notices when the client is not. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  #hasReceived = false;
  #silentLooks = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    if (options.seconds === 0) return;
    this.#timer = setInterval(() => this.#look(), (options.seconds * 1_000) / LOOKS_PER_INTERVAL);
  }

  /** Whatever the client sends shows that it is there. */
  received(): void {
    this.#hasReceived = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { beat, isListening, lost } = this.#options;
    beat();
    const isHeard = this.#hasReceived || !isListening();
    this.#hasReceived = false;
    this.#silentLooks = isHeard ? 0 : this.#silentLooks + 1;
    if (this.#silentLooks < SILENT_LOOKS_MAX) return;
    this.stop();
    lost();
  }
}
