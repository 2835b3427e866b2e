import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const page = Buffer.alloc(4096, 7);

/** A file that grows by a page at a time: what the least durable write costs on this disk. */
export class SyncProbe implements Disposable {
  readonly #file: number;

  constructor(folder: string) {
    this.#file = openSync(join(folder, 'sync-probe'), 'a');
  }

  /** Appends a page and waits until it is on disk. @returns milliseconds of the fdatasync */
  sync(): number {
    writeSync(this.#file, page);
    const start = performance.now();
    fdatasyncSync(this.#file);
    return performance.now() - start;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
