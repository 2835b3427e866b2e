import { isDeepStrictEqual } from 'node:util';
import type { Line } from './run-client.ts';

/** A step that came out otherwise with one broker than with the other. */
export interface Difference {
  readonly step: string;
  /** What RabbitMQ said; `undefined`: it did not come to this step. */
  readonly expected: Line | undefined;
  readonly actual: Line | undefined;
}

/** @returns where two transcripts differ. Steps are matched by name, and by turn where one repeats. */
export function differences(expected: readonly Line[], actual: readonly Line[]): Difference[] {
  const expectedByStep = byStep(expected);
  const actualByStep = byStep(actual);
  const steps = new Set([...expectedByStep.keys(), ...actualByStep.keys()]);
  return [...steps]
    .map((step) => ({
      step,
      expected: expectedByStep.get(step),
      actual: actualByStep.get(step),
    }))
    .filter((pair) => !isDeepStrictEqual(pair.expected, pair.actual));
}

function byStep(lines: readonly Line[]): Map<string, Line> {
  const found = new Map<string, Line>();
  for (const line of lines) {
    let name = line.step;
    for (let turn = 2; found.has(name); turn += 1) name = `${line.step} (${turn})`;
    found.set(name, line);
  }
  return found;
}
