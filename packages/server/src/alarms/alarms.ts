/** What the broker is short of. */
export type AlarmKind = 'disk' | 'memory' | 'store-full';

export const ALARM_KINDS: readonly AlarmKind[] = ['disk', 'memory', 'store-full'];

export interface Alarm {
  readonly kind: AlarmKind;
  /** In a few words, as AMQP's clients know them: 'low on disk'. */
  readonly reason: string;
  /** What there is, what there must be, and what to do about it. */
  readonly detail: string;
}

/** Is told when an alarm begins, and when it is over. */
export interface AlarmListener {
  raised(alarm: Alarm): void;
  cleared(kind: AlarmKind): void;
}

const REASONS: Readonly<Record<AlarmKind, string>> = {
  disk: 'low on disk',
  memory: 'low on memory',
  'store-full': 'the store is full',
};

/** Why nobody may send for now. What is stored can be received all the same: that makes room. */
export class Alarms {
  readonly #active = new Map<AlarmKind, Alarm>();
  readonly #listeners: AlarmListener[] = [];

  /** @returns those that last, in no order */
  active(): Alarm[] {
    return [...this.#active.values()];
  }

  has(kind: AlarmKind): boolean {
    return this.#active.has(kind);
  }

  watch(listener: AlarmListener): void {
    this.#listeners.push(listener);
  }

  /** One that lasts gets the newer detail; nobody is told again. */
  raise(kind: AlarmKind, detail: string): void {
    const isNew = !this.#active.has(kind);
    const alarm: Alarm = { kind, reason: REASONS[kind], detail };
    this.#active.set(kind, alarm);
    if (!isNew) return;
    for (const listener of this.#listeners) listener.raised(alarm);
  }

  clear(kind: AlarmKind): void {
    if (!this.#active.delete(kind)) return;
    for (const listener of this.#listeners) listener.cleared(kind);
  }
}
