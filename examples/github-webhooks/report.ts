import { clearScreenDown, moveCursor } from 'node:readline';
import { styleText } from 'node:util';
import type { QueueInfo } from 'wherry';
import type { Problem } from './check.ts';
import type { Handled, Outcome } from './handler.ts';

const PROBLEMS_SHOWN = 20;

type Columns<Row> = Readonly<Record<string, (row: Row) => string | number>>;

const live: Columns<QueueInfo> = {
  queue: ({ name }) => name,
  in: ({ counters }) => counters.enqueued,
  out: ({ counters }) => counters.acknowledged,
  retried: ({ counters }) => counters.retried,
  expired: ({ counters }) => counters.expired,
  dead: ({ counters }) => counters.deadLettered,
};

/** Shows the queues while they work: a table in its place on a terminal, elsewhere lines. */
export class Progress {
  readonly #terminal = process.stdout.isTTY;
  readonly #start = performance.now();
  #lines = 0;
  #shownAt = 0;

  /** Milliseconds since this object was made. */
  get elapsed(): number {
    return performance.now() - this.#start;
  }

  show(queues: readonly QueueInfo[]): void {
    const interval = this.#terminal ? 50 : 1_000;
    if (this.elapsed - this.#shownAt < interval) return;
    this.#shownAt = this.elapsed;
    if (this.#terminal) this.#redraw(queues);
    else console.log(`${seconds(this.elapsed)}: ${summary(queues)}`);
  }

  /** Takes the table away from a terminal. */
  clear(): void {
    if (this.#lines === 0) return;
    moveCursor(process.stdout, 0, -this.#lines);
    clearScreenDown(process.stdout);
    this.#lines = 0;
  }

  #redraw(queues: readonly QueueInfo[]): void {
    const text = formatTable(queues, { ...live, waiting: ({ messageCount }) => messageCount });
    this.clear();
    console.log(text);
    this.#lines = text.split('\n').length;
  }
}

function summary(queues: readonly QueueInfo[]): string {
  const sum = (value: (queue: QueueInfo) => number): string =>
    queues.reduce((total, queue) => total + value(queue), 0).toLocaleString('en-US');
  return [
    `${sum(({ counters }) => counters.enqueued)} in`,
    `${sum(({ counters }) => counters.acknowledged)} out`,
    `${sum(({ counters }) => counters.deadLettered)} dead`,
    `${sum(({ messageCount }) => messageCount)} waiting`,
  ].join(', ');
}

/** The queues at the end, with how long a message took from being stored to being handled. */
export function queueTable(queues: readonly QueueInfo[], handled: readonly Handled[]): string {
  const latencies = new Map<string, number[]>(queues.map(({ name }) => [name, []]));
  for (const { queue, latency } of handled) latencies.get(queue)?.push(latency);
  return formatTable(queues, {
    ...live,
    'p50 ms': ({ name }) => percentile(latencies.get(name) ?? [], 50),
    'p99 ms': ({ name }) => percentile(latencies.get(name) ?? [], 99),
  });
}

/** How much sooner the urgent ones came out of a queue. */
export function priorityLine(queue: string, handled: readonly Handled[]): string {
  const here = handled.filter((outcome) => outcome.queue === queue);
  const priorities = [...new Set(here.map(({ priority }) => priority))].toSorted((a, b) => b - a);
  const medians = priorities.map((priority) => {
    const latencies = here.filter((outcome) => outcome.priority === priority);
    return `${percentile(
      latencies.map(({ latency }) => latency),
      50,
    )} ms at priority ${priority}`;
  });
  return `Median latency in ${queue}: ${medians.join(', ')}.`;
}

/** How many dead letters there are, by why they died and where. */
export function deadLetterLine(dead: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { end, queue } of dead) {
    const kind = end === 'expired' ? `${end} in ${queue}` : end;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`);
  return `${dead.length} dead letters: ${kinds.join(', ')}.`;
}

export function problemLines(problems: readonly Problem[]): string {
  const lines = problems.slice(0, PROBLEMS_SHOWN).map(({ kind, queue, delivery, detail }) => {
    return `  ${kind}: ${delivery ?? 'the counters'} in ${queue}: ${detail}`;
  });
  if (problems.length > lines.length) lines.push(`  … and ${problems.length - lines.length} more`);
  return lines.join('\n');
}

export function paint(color: 'green' | 'red', text: string): string {
  return process.stdout.isTTY ? styleText(color, text) : text;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** The smallest value that so many percent of all are not above; 0 when there are none. */
function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
}

/** Text flush left, numbers flush right. */
function formatTable<Row>(rows: readonly Row[], columns: Columns<Row>): string {
  const cells = [
    Object.keys(columns),
    ...rows.map((row) => Object.values(columns).map((value) => value(row).toLocaleString('en-US'))),
  ];
  const widths = Object.keys(columns).map((_, n) =>
    Math.max(...cells.map((row) => row[n]!.length)),
  );
  return cells
    .map((row) =>
      row
        .map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!)))
        .join('  '),
    )
    .join('\n');
}
