import { emitKeypressEvents, type Key } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** Where a terminal says nothing of its size. */
const SIZE = { width: 100, height: 30 };

/**
 * A terminal that shows a screen of its own and hands on each key; whatever ends it, it is left as it
 * was found.
 */
export class Terminal implements Disposable {
  readonly #stdin: RawInput;
  readonly #stdout: SizedOutput;
  readonly #onKeypress: (text: string | undefined, key: Key) => void;
  readonly #onResize: () => void;
  readonly #leave = (): void => this[Symbol.dispose]();
  #isOpen = true;

  /** @param onKey a key's name: 'q', 'up'; 'ctrl+c' where it was held down */
  constructor(
    stdin: Readable,
    stdout: Writable,
    onKey: (key: string) => void,
    onResize: () => void,
  ) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.#onKeypress = (_text, { name = '', ctrl = false }) => onKey(ctrl ? `ctrl+${name}` : name);
    this.#onResize = onResize;
    // A process that ends at once, as at a second signal, leaves no wrecked terminal either.
    process.on('exit', this.#leave);
    emitKeypressEvents(stdin);
    this.#stdin.setRawMode?.(true);
    stdin.on('keypress', this.#onKeypress);
    stdin.resume();
    stdout.on('resize', this.#onResize);
    stdout.write(ENTER);
  }

  get size(): { readonly width: number; readonly height: number } {
    const { columns, rows } = this.#stdout;
    return { width: columns ?? SIZE.width, height: rows ?? SIZE.height };
  }

  /** Shows these lines in place of the last ones. */
  show(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n');
    this.#stdout.write(`${HOME}${text}${CLEAR_BELOW}`);
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.#leave);
    this.#stdin.off('keypress', this.#onKeypress);
    this.#stdin.setRawMode?.(false);
    this.#stdin.pause();
    this.#stdout.off('resize', this.#onResize);
    this.#stdout.write(LEAVE);
  }
}

type RawInput = Readable & { setRawMode?: (isRaw: boolean) => unknown };
type SizedOutput = Writable & { readonly columns?: number; readonly rows?: number };
