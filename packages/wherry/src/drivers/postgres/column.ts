import { sqlList } from './arrays.ts';

/** An array argument that is left out (null) while all its items are as usual. */
export class Column<T extends string | number> {
  readonly #usual: T | null;
  #items: (T | null)[] | null = null;
  #length = 0;

  constructor(usual: T | null) {
    this.#usual = usual;
  }

  add(item: T | null): void {
    if (this.#items !== null) this.#items.push(item);
    else if (item !== this.#usual) {
      this.#items = Array.from({ length: this.#length }, () => this.#usual);
      this.#items.push(item);
    }
    this.#length += 1;
  }

  toSql(): string | null {
    return this.#items && sqlList(this.#items);
  }
}
