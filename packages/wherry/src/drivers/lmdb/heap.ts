/** A binary min-heap of numbers, each with an item. Equal keys come out in any order. */
export class MinHeap<T> {
  #keys: number[] = [];
  #items: T[] = [];

  get size(): number {
    return this.#keys.length;
  }

  /** The smallest key; Infinity when the heap is empty. */
  get minKey(): number {
    return this.#keys.length === 0 ? Number.POSITIVE_INFINITY : this.#keys[0]!;
  }

  /** The item with the smallest key. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(key: number, item: T): void {
    const keys = this.#keys;
    const items = this.#items;
    let at = keys.length;
    keys.push(key);
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      items[at] = items[parent]!;
      at = parent;
    }
    keys[at] = key;
    items[at] = item;
  }

  /** Removes and returns the item with the smallest key. */
  pop(): T | undefined {
    const top = this.#items[0];
    const key = this.#keys.pop();
    const item = this.#items.pop();
    if (key !== undefined && this.#keys.length > 0) this.#sink(key, item as T);
    return top;
  }

  /** Keeps what `keep` says yes to. */
  retain(keep: (key: number, item: T) => boolean): void {
    const keys = this.#keys;
    const items = this.#items;
    this.clear();
    for (let at = 0; at < keys.length; at++) {
      if (keep(keys[at]!, items[at]!)) this.push(keys[at]!, items[at]!);
    }
  }

  clear(): void {
    this.#keys = [];
    this.#items = [];
  }

  forEach(visit: (key: number, item: T) => void): void {
    for (let at = 0; at < this.#keys.length; at++) visit(this.#keys[at]!, this.#items[at]!);
  }

  #sink(key: number, item: T): void {
    const keys = this.#keys;
    const items = this.#items;
    const size = keys.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[at] = keys[child]!;
      items[at] = items[child]!;
      at = child;
    }
    keys[at] = key;
    items[at] = item;
  }
}
