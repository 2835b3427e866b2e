import type { Socket } from 'node:net';

/** Why a connection is not read for now. */
export type PauseReason =
  /** It is being found out who it is. */
  | 'login'
  /** Much that came waits for what came before it. */
  | 'inbox'
  /** Much that was published is not stored yet. */
  | 'publishing'
  /** The client does not read what it gets. */
  | 'unread'
  /** An alarm: nobody may publish. */
  | 'blocked'
  /** The broker closes. */
  | 'closing';

/** How often it may be resumed in one turn of the event loop. */
const RESUMES_IN_TURN = 8;

/** Whether a connection is read: it is not as long as there is one reason or more. */
export class Reading {
  readonly #socket: Socket;
  readonly #resumed: () => void;
  readonly #reasons = new Set<PauseReason>();
  #isFree = false;
  #inTurn = 0;

  /** @param resumed is called before the socket is read again: something may have been left over */
  constructor(socket: Socket, resumed: () => void) {
    this.#socket = socket;
    this.#resumed = resumed;
  }

  get isPaused(): boolean {
    return this.#reasons.size > 0;
  }

  isPausedFor(reason: PauseReason): boolean {
    return this.#reasons.has(reason);
  }

  pause(reason: PauseReason): void {
    if (this.#isFree) return;
    if (this.#reasons.size === 0) this.#socket.pause();
    this.#reasons.add(reason);
  }

  resume(reason: PauseReason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#readOn();
  }

  /** From now on there is no reason to pause: what comes costs nothing any more. */
  free(): void {
    this.#isFree = true;
    if (this.#reasons.size === 0) return;
    this.#reasons.clear();
    this.#readOn();
  }

  /**
   * Later: who resumes may be in the middle of working on what has been read. What is read then may
   * be a reason to pause and to resume, and so on: in other turns, so that others have theirs.
   */
  #readOn(): void {
    if (this.#inTurn === 0) setImmediate(() => (this.#inTurn = 0));
    const begin = ++this.#inTurn > RESUMES_IN_TURN ? setImmediate : queueMicrotask;
    begin(() => {
      if (this.#reasons.size > 0) return;
      this.#resumed();
      // What was left over may have been a reason to pause again.
      if (this.#reasons.size === 0) this.#socket.resume();
    });
  }
}
