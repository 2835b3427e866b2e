import type { Output } from './output.ts';
import type { Reading } from './reading.ts';

export interface PublishAlarmParts {
  readonly output: Output;
  readonly reading: Reading;
  /** Whether the client understands that it is told. */
  readonly mayTell: () => boolean;
  /** Why nobody may publish now; null: everybody may. */
  readonly reason: string | null;
}

/**
 * What a connection does when nobody may publish. One that has published is told, so that it stops;
 * one that publishes all the same is not read any more. The others go on.
 */
export class PublishAlarm {
  readonly #parts: PublishAlarmParts;
  #reason: string | null;
  #hasPublished = false;
  #wasTold = false;

  constructor(parts: PublishAlarmParts) {
    this.#parts = parts;
    this.#reason = parts.reason;
  }

  raise(reason: string): void {
    this.#reason = reason;
    if (this.#hasPublished) this.#tell(reason);
  }

  clear(): void {
    const { output, reading } = this.#parts;
    this.#reason = null;
    if (this.#wasTold) {
      output.writer.method(0, 'connection.unblocked', {});
      output.flush();
    }
    this.#wasTold = false;
    reading.resume('blocked');
  }

  /** A publish has begun. */
  publishing(): void {
    this.#hasPublished = true;
    if (this.#reason === null) return;
    this.#tell(this.#reason);
    this.#parts.reading.pause('blocked');
  }

  #tell(reason: string): void {
    const { output, mayTell } = this.#parts;
    if (this.#wasTold || !mayTell()) return;
    this.#wasTold = true;
    output.writer.method(0, 'connection.blocked', { reason });
    output.flush();
  }
}
