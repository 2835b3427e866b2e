import type { ModelOptions } from '../../src/testing/index.ts';

/**
 * How many random histories a store is held against the model with: few where each step crosses a
 * network, as many as `npm run test:histories` asks for. Each run draws other ones.
 */
export function histories(few: number): ModelOptions {
  return { runs: Number(process.env['WHERRY_TEST_HISTORIES'] ?? few) };
}
