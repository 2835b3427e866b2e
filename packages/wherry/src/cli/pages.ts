/** One page of a list, and where the next one begins. */
export interface Page<Item> {
  readonly messages: readonly Item[];
  readonly cursor: string | null;
}

const PAGE_SIZE = 100;

/**
 * Reads page by page, so that a long list is never in memory as a whole.
 * @param limit most items answered
 */
export async function* pages<Item>(
  read: (page: { cursor?: string; limit: number }) => Promise<Page<Item>>,
  limit: number,
): AsyncGenerator<readonly Item[]> {
  let left = limit;
  let cursor: string | null | undefined;
  while (left > 0 && cursor !== null) {
    const page = await read({
      limit: Math.min(left, PAGE_SIZE),
      ...(cursor === undefined ? {} : { cursor }),
    });
    left -= page.messages.length;
    cursor = page.cursor;
    yield page.messages;
  }
}

/** @returns the items of all pages, for a list that is shown as a whole */
export async function collect<Item>(batches: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const batch of batches) items.push(...batch);
  return items;
}
