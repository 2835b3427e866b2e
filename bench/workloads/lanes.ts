/** Calls `work` for the numbers 0 to `count` - 1, with so many calls outstanding all the time. */
export async function inLanes(
  count: number,
  outstanding: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(outstanding, count) }, lane));
}

/** @returns how many per second, when `work` does so many */
export async function rateOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1_000;
}
