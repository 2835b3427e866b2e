import { inspect } from 'node:util';
import type { TestEvent } from 'node:test/reporters';

/** One line of what a test file reports while it runs. */
export type ReportedEvent =
  | {
      kind: 'test';
      name: string;
      nesting: number;
      outcome: 'passed' | 'failed' | 'skipped';
      /** A test that failed only because a test inside it failed has nothing to say itself. */
      failedInside: boolean;
      error: string;
    }
  | { kind: 'note'; text: string }
  | { kind: 'end' };

/** The counts that node:test itself adds at the end; ours are made from the tests. */
const ownSummary = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/**
 * A reporter for `node --test-reporter`: one JSON object per line. The line `end` is missing when the
 * process ended before its tests did.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const reported = describeEvent(event);
    if (reported !== undefined) yield `${JSON.stringify(reported)}\n`;
  }
  yield `${JSON.stringify({ kind: 'end' } satisfies ReportedEvent)}\n`;
}

function describeEvent(event: TestEvent): ReportedEvent | undefined {
  if (event.type === 'test:diagnostic') {
    return ownSummary.test(event.data.message)
      ? undefined
      : { kind: 'note', text: event.data.message };
  }
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { name, nesting, skip, todo, details } = event.data;
  const isSkipped = isSet(skip) || isSet(todo);
  const error = 'error' in details ? details.error : undefined;
  return {
    kind: 'test',
    name,
    nesting,
    outcome: isSkipped ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed',
    failedInside: (error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed',
    error: error === undefined ? '' : inspect(error.cause ?? error),
  };
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}
