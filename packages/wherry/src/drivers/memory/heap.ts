/**
 * A binary heap that can also remove from its middle, because each item is told its index.
 * Pushing in ascending order, which queues mostly do, costs one comparison.
 */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #indexChanged: (item: T, index: number) => void;

  /**
   * @param isBefore a strict order
   * @param indexChanged called with an item's index whenever it changes, for `removeAt`
   */
  constructor(
    isBefore: (a: T, b: T) => boolean,
    indexChanged: (item: T, index: number) => void = () => undefined,
  ) {
    this.#isBefore = isBefore;
    this.#indexChanged = indexChanged;
  }

  get size(): number {
    return this.#items.length;
  }

  /** @returns the first item, which stays */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#siftUp(item, this.#items.length - 1);
  }

  /** Removes the item at an index that `indexChanged` gave. */
  removeAt(index: number): void {
    const last = this.#items.pop()!;
    if (index === this.#items.length) return;
    const parent = this.#items[(index - 1) >> 1];
    if (index > 0 && this.#isBefore(last, parent!)) this.#siftUp(last, index);
    else this.#siftDown(last, index);
  }

  /** All items, in no order. */
  values(): IterableIterator<T> {
    return this.#items.values();
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    this.#indexChanged(item, index);
  }

  #siftUp(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex]!;
      if (!this.#isBefore(item, parent)) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(item, index);
  }

  #siftDown(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isBefore(items[child + 1]!, items[child]!)) child += 1;
      if (!this.#isBefore(items[child]!, item)) break;
      this.#put(items[child]!, index);
      index = child;
    }
    this.#put(item, index);
  }
}
