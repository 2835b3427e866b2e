import type { Binding, Exchange } from './api/types.ts';

/** A box of the drawing: an exchange or a queue. */
export interface Box {
  readonly type: 'exchange' | 'queue';
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** All bindings from one box to another. */
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly label: string;
  readonly labelX: number;
  readonly labelY: number;
  readonly isAlternate: boolean;
}

export interface Drawing {
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

export const BOX_WIDTH = 172;
export const BOX_HEIGHT = 34;
const ROW = 52;
const GAP = 200;
const MARGIN = 12;
const LABEL_LENGTH = 22;
const SWEEPS = 4;

interface Link {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly isAlternate: boolean;
}

/** What a box is called in edges: an exchange and a queue may have the same name. */
export function boxKey({ type, name }: { readonly type: string; readonly name: string }): string {
  return `${type}:${name}`;
}

/**
 * Lays exchanges and what is bound to them out in columns: exchanges from the left, each behind
 * those that it gets messages from, queues at the right. Within a column, boxes go near to what
 * they are bound to, so that few edges cross.
 */
export function drawGraph(exchanges: readonly Exchange[], bindings: readonly Binding[]): Drawing {
  const links = linksOf(exchanges, bindings);
  const columns = columnsOf(exchanges, bindings, links);
  untangle(columns, links);
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const boxes = new Map<string, Box>();
  columns.forEach((column, i) => {
    const top = MARGIN + ((tallest - column.length) * ROW) / 2;
    column.forEach((key, row) => {
      const [type, ...name] = key.split(':');
      boxes.set(key, {
        type: type as Box['type'],
        name: name.join(':'),
        x: MARGIN + i * (BOX_WIDTH + GAP),
        y: top + row * ROW,
      });
    });
  });
  return {
    boxes: [...boxes.values()],
    edges: links.map((link) => edgeOf(link, boxes)),
    width: 2 * MARGIN + columns.length * BOX_WIDTH + (columns.length - 1) * GAP,
    height: 2 * MARGIN + tallest * ROW - (ROW - BOX_HEIGHT),
  };
}

function linksOf(exchanges: readonly Exchange[], bindings: readonly Binding[]): Link[] {
  const keys = new Map<string, { from: string; to: string; labels: string[] }>();
  for (const { exchange, destination, routingKey, headers, match } of bindings) {
    const from = boxKey({ type: 'exchange', name: exchange });
    const to = boxKey(destination);
    const entry = keys.get(`${from}\0${to}`) ?? { from, to, labels: [] };
    const wanted = Object.entries(headers ?? {}).map(([name, value]) => `${name}=${String(value)}`);
    entry.labels.push(wanted.length > 0 ? `${match}: ${wanted.join(' ')}` : routingKey);
    keys.set(`${from}\0${to}`, entry);
  }
  const present = new Set(exchanges.map(({ name }) => name));
  const alternates = exchanges.flatMap(({ name, alternateExchange }) =>
    alternateExchange === null || !present.has(alternateExchange)
      ? []
      : [
          {
            from: boxKey({ type: 'exchange', name }),
            to: boxKey({ type: 'exchange', name: alternateExchange }),
            label: 'else',
            isAlternate: true,
          },
        ],
  );
  const bound = [...keys.values()].map(({ from, to, labels }) => ({
    from,
    to,
    label: labels.filter((label) => label !== '').join(', '),
    isAlternate: false,
  }));
  return [...bound, ...alternates];
}

function columnsOf(
  exchanges: readonly Exchange[],
  bindings: readonly Binding[],
  links: readonly Link[],
): string[][] {
  const depth = new Map(exchanges.map(({ name }) => [boxKey({ type: 'exchange', name }), 0]));
  // Exchanges may be bound in a circle: as many rounds as there are exchanges are enough, or none.
  for (let round = 0; round < Math.min(exchanges.length, 4); round++) {
    for (const { from, to } of links) {
      const behind = (depth.get(from) ?? 0) + 1;
      if (depth.has(to) && from !== to) depth.set(to, Math.max(depth.get(to)!, behind));
    }
  }
  const used = [...new Set(depth.values())].toSorted((a, b) => a - b);
  const columns = used.map((at) => [...depth].filter(([, d]) => d === at).map(([key]) => key));
  const queues = bindings.filter(({ destination }) => destination.type === 'queue');
  const names = [...new Set(queues.map(({ destination }) => boxKey(destination)))];
  return [...columns, names.toSorted()];
}

/** Orders each column by the mean place of its neighbours, to and fro. */
function untangle(columns: string[][], links: readonly Link[]): void {
  const places = new Map<string, number>();
  const note = (column: readonly string[]): void =>
    column.forEach((key, i) => places.set(key, i / Math.max(1, column.length - 1)));
  columns.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const order = sweep % 2 === 0 ? columns.keys() : [...columns.keys()].toReversed();
    for (const i of order) {
      const column = columns[i]!;
      const mean = new Map(column.map((key) => [key, meanPlace(key, links, places)]));
      column.sort((a, b) => mean.get(a)! - mean.get(b)! || (a < b ? -1 : 1));
      note(column);
    }
  }
}

function meanPlace(
  key: string,
  links: readonly Link[],
  places: ReadonlyMap<string, number>,
): number {
  const near = links.flatMap(({ from, to }) => (from === key ? [to] : to === key ? [from] : []));
  if (near.length === 0) return places.get(key)!;
  return near.reduce((sum, other) => sum + (places.get(other) ?? 0), 0) / near.length;
}

function edgeOf({ from, to, label, isAlternate }: Link, boxes: ReadonlyMap<string, Box>): Edge {
  const a = boxes.get(from)!;
  const b = boxes.get(to) ?? a;
  const [x1, y1] = [a.x + BOX_WIDTH, a.y + BOX_HEIGHT / 2];
  const [x2, y2] = [b.x, b.y + BOX_HEIGHT / 2];
  const bend = Math.max(60, Math.abs(x2 - x1) / 2);
  const path = `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
  const short = label.length > LABEL_LENGTH ? `${label.slice(0, LABEL_LENGTH - 1)}…` : label;
  // Near the end: there, edges of one exchange have come apart.
  return { from, to, path, label: short, labelX: x2 - 12, labelY: y2 - 7, isAlternate };
}
