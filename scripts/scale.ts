/**
 * `npx tsx scripts/scale.ts [--write]`: the arithmetic of docs/scale.md, from what the benchmarks
 * measured on one node. It places real keys in the slots of a cluster and adds up what the busiest
 * node has to do; `--write` puts the tables into the page.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './find-files.ts';

/** What a message and a queue cost, at 100 bytes; `npm run bench -- redis` and `-- many-queues` say. */
export interface Costs {
  /** Processor time of a Redis node for a message that is sent, received and acknowledged, in µs. */
  readonly nodeMicros: number;
  /** The same of the processes that send and consume, together. */
  readonly clientMicros: number;
  /** Memory of a node for a message that waits, in bytes. */
  readonly waitingBytes: number;
  /** Memory of the store for a queue that is defined, in bytes. */
  readonly queueBytes: number;
  /** Memory of each process that has the store open, for each queue that is defined. */
  readonly queueHeapBytes: number;
  /** Time to open the store, for each queue that is defined, in µs. */
  readonly queueOpenMicros: number;
}

/** Of `metric` lines of the two benchmarks: server-cpu, client-cpu, waiting; stored, heap, open. */
export const MEASURED: Costs = {
  nodeMicros: 8.75,
  clientMicros: 7.16,
  waitingBytes: 120,
  queueBytes: 787,
  queueHeapBytes: 1_500,
  queueOpenMicros: 21,
};

/** The busiest node may be this busy: beyond, waiting grows faster than work. */
const HEADROOM = 0.7;
const SLOTS = 16_384;

/** The share of all work that each node gets. */
export interface Placement {
  readonly masters: number;
  /** Of a core: the busiest node, and the mean of all. */
  readonly busiest: number;
  readonly mean: number;
}

/** A part of a queue that is in one place. */
export interface Part {
  readonly key: string;
  /** Messages per second. */
  readonly rate: number;
}

/** The slot of a key with a hash tag (Redis Cluster specification): CRC-16/XMODEM of the tag. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) % SLOTS;
}

/** Each master has an even share of the slots, one after the other, as `redis-cli` deals them out. */
export function place(parts: readonly Part[], masters: number, { nodeMicros }: Costs): Placement {
  const load = new Float64Array(masters);
  for (const { key, rate } of parts) {
    load[Math.floor((slotOf(key) * masters) / SLOTS)]! += (rate * nodeMicros) / 1e6;
  }
  return {
    masters,
    busiest: load.reduce((most, one) => Math.max(most, one), 0),
    mean: load.reduce((sum, one) => sum + one, 0) / masters,
  };
}

/** The fewest masters of which none is busier than it may be. */
export function fewestMasters(parts: readonly Part[], costs: Costs): Placement {
  const total = parts.reduce((sum, { rate }) => sum + rate, 0);
  let masters = Math.ceil((total * costs.nodeMicros) / 1e6 / HEADROOM);
  for (; masters <= 1_000; masters++) {
    const placement = place(parts, masters, costs);
    if (placement.busiest <= HEADROOM) return placement;
  }
  throw new Error('A thousand masters, which is as many as a cluster takes, are not enough.');
}

/** One queue in so many partitions, each with its share. */
export function partitionsOf(queue: number, rate: number, partitions: number): Part[] {
  return Array.from({ length: partitions }, (_, at) => ({
    key: partitions === 1 ? `wherry:{q${queue}}:` : `wherry:{q${queue}.${at}}:`,
    rate: rate / partitions,
  }));
}

/**
 * Many queues of which few are busy: the n-th has 1/n of the first one's rate (Zipf's law). Those that
 * would take more than a tenth of a node are in partitions.
 */
export function unevenQueues(queues: number, rate: number, costs: Costs): Part[] {
  let sum = 0;
  for (let n = 1; n <= queues; n++) sum += 1 / n;
  const mostOfNode = (0.1 * HEADROOM * 1e6) / costs.nodeMicros;
  const parts: Part[] = [];
  for (let n = 1; n <= queues; n++) {
    const own = rate / sum / n;
    const partitions = Math.min(256, Math.max(1, Math.ceil(own / mostOfNode)));
    parts.push(...partitionsOf(n, own, partitions));
  }
  return parts;
}

const RATE = 1_000_000;
const QUEUES = 1_000_000;
const CELL_QUEUES = 50_000;

/** @returns the tables, by name */
export function tables(costs: Costs = MEASURED): Record<string, string> {
  return { rate: rateTable(costs), queues: queuesTable(costs) };
}

function rateTable(costs: Costs): string {
  const rows = [32, 64, 256].map((partitions) => {
    const { masters, busiest, mean } = fewestMasters(partitionsOf(1, RATE, partitions), costs);
    return [`one queue, ${partitions} partitions`, masters, percent(busiest), percent(mean)];
  });
  const even = Array.from({ length: 1_000 }, (_, n) => partitionsOf(n, RATE / 1_000, 1)).flat();
  const many = fewestMasters(even, costs);
  rows.push(['1,000 equal queues', many.masters, percent(many.busiest), percent(many.mean)]);
  const zipf = fewestMasters(unevenQueues(100_000, RATE, costs), costs);
  rows.push(['100,000 uneven queues', zipf.masters, percent(zipf.busiest), percent(zipf.mean)]);
  return table(['1,000,000 messages/s in', 'masters', 'the busiest', 'the mean'], rows);
}

function queuesTable(costs: Costs): string {
  const row = (queues: number, cells: number): (string | number)[] => {
    const perCell = queues / cells;
    return [
      queues.toLocaleString('en-US'),
      cells,
      megabytes(queues * costs.queueBytes),
      megabytes(perCell * costs.queueHeapBytes),
      `${((perCell * costs.queueOpenMicros) / 1e6).toFixed(1)} s`,
    ];
  };
  const rows = [
    row(10_000, 1),
    row(CELL_QUEUES, 1),
    row(QUEUES, 1),
    row(QUEUES, QUEUES / CELL_QUEUES),
  ];
  return table(['queues', 'cells', 'in the stores', 'in each process', 'to open a store'], rows);
}

/** Figures that the page's text uses. */
export function figures(costs: Costs = MEASURED): Record<string, string> {
  const node = Math.floor((HEADROOM * 1e6) / costs.nodeMicros);
  const cores = (RATE * costs.clientMicros) / 1e6 / HEADROOM;
  const rows: [string, string][] = [
    ['a Redis node, for a message sent, received and acknowledged', `${costs.nodeMicros} µs`],
    ['the processes that send and consume it', `${costs.clientMicros} µs`],
    ['messages per second of one node, 70 % busy', node.toLocaleString('en-US')],
    ['cores for the processes at 1,000,000 per second', String(Math.ceil(cores))],
    ['memory for 100,000,000 waiting messages', megabytes(1e8 * costs.waitingBytes)],
    ['traffic of 1,000,000 messages of 100 bytes per second, in and out', '2 × 1.1 Gbit/s'],
  ];
  return { costs: table(['', ''], rows) };
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

const PAGE = join(root, 'docs', 'scale.md');

/** Puts each table behind its mark: `<!-- scale: NAME -->`. @returns the page's text with the tables */
export function fillPage(page: string): string {
  let filled = page;
  for (const [name, text] of Object.entries({ ...figures(), ...tables() })) {
    const mark = new RegExp(`(<!-- scale: ${name} -->\\n)(?:\\|.*\\n)*`);
    filled = filled.replace(mark, (_, start: string) => `${start}${text}\n`);
  }
  return filled;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) {
    writeFileSync(PAGE, fillPage(readFileSync(PAGE, 'utf8')));
  } else {
    for (const text of Object.values({ ...figures(), ...tables() })) console.log(`${text}\n`);
  }
}
