/** What a message reaches. */
export interface RouteResult {
  /** Every queue that gets a copy, each once. */
  readonly queues: readonly string[];
  /** No queue gets one. */
  readonly unroutable: boolean;
}

/** Most that the cache holds: a result counts 1, and 1 more for each queue in it (some 5 MB). */
export const ROUTE_CACHE_SIZE_MAX = 10_000;

/**
 * Of so many results that were not in the cache, one is taken in. Keys in use are soon all there,
 * for one that is there is not offered again. Keys that never repeat (with an order number in
 * them, say) would otherwise cost more to remember than to work out.
 */
export const ROUTE_CACHE_ADMITS_ONE_IN = 8;

/** Remembers where keys led. When it is full it forgets everything and starts again. */
export class RouteCache {
  readonly #byExchange = new Map<string, Map<string, RouteResult>>();
  #size = 0;
  #offers = 0;

  get(exchange: string, routingKey: string): RouteResult | undefined {
    return this.#byExchange.get(exchange)?.get(routingKey);
  }

  /** Takes a result that `get` did not know; or not. */
  offer(exchange: string, routingKey: string, result: RouteResult): void {
    if (++this.#offers % ROUTE_CACHE_ADMITS_ONE_IN !== 0) return;
    const size = 1 + result.queues.length;
    if (size > ROUTE_CACHE_SIZE_MAX) return;
    if (this.#size + size > ROUTE_CACHE_SIZE_MAX) this.clear();
    this.#size += size;
    const byKey = this.#byExchange.get(exchange);
    if (byKey === undefined) this.#byExchange.set(exchange, new Map([[routingKey, result]]));
    else byKey.set(routingKey, result);
  }

  clear(): void {
    this.#byExchange.clear();
    this.#size = 0;
  }
}
