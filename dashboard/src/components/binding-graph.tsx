import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Binding, Exchange } from '../api/types.ts';
import { BOX_HEIGHT, BOX_WIDTH, type Box, boxKey, drawGraph } from '../graph.ts';
import { link } from '../router.ts';

const NAME_LENGTH = 21;

/** Where messages go, drawn. What is pointed at or has the focus stands out with its edges. */
export function BindingGraph(props: {
  readonly exchanges: readonly Exchange[];
  readonly bindings: readonly Binding[];
}): JSX.Element {
  const [active, setActive] = useState<string | null>(null);
  const { boxes, edges, width, height } = drawGraph(props.exchanges, props.bindings);
  const types = new Map(props.exchanges.map(({ name, type }) => [name, type]));
  return (
    <div class="graph" role="region" aria-label="Exchanges and queues, drawn" tabIndex={0}>
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        class={active === null ? '' : 'has-active'}
        role="group"
        aria-label="The table below says the same"
      >
        {edges.map(({ from, to, path, label, labelX, labelY, isAlternate }) => (
          <g
            key={`${from} ${to} ${String(isAlternate)}`}
            class={`edge ${isAlternate ? 'alternate' : ''} ${from === active || to === active ? 'active' : ''}`}
          >
            <path d={path} />
            <text x={labelX} y={labelY}>
              {label}
            </text>
          </g>
        ))}
        {boxes.map((box) => (
          <BoxShape
            key={boxKey(box)}
            box={box}
            kind={types.get(box.name) ?? ''}
            isActive={boxKey(box) === active}
            onActive={setActive}
          />
        ))}
      </svg>
    </div>
  );
}

function BoxShape(props: {
  readonly box: Box;
  readonly kind: string;
  readonly isActive: boolean;
  readonly onActive: (key: string | null) => void;
}): JSX.Element {
  const { box, kind, isActive, onActive } = props;
  const { type, name, x, y } = box;
  const short = name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}…` : name;
  const isExchange = type === 'exchange';
  const shape = (
    <>
      <title>{isExchange ? `${name} (${kind})` : name}</title>
      <rect width={BOX_WIDTH} height={BOX_HEIGHT} rx={isExchange ? BOX_HEIGHT / 2 : 6} />
      <text x={14} y={BOX_HEIGHT / 2 + 4}>
        {short}
      </text>
      {isExchange && (
        <text class="box-kind" x={BOX_WIDTH - 12} y={BOX_HEIGHT / 2 + 4}>
          {short.length < 13 ? kind : ''}
        </text>
      )}
    </>
  );
  return (
    <g
      transform={`translate(${x},${y})`}
      class={`box ${type} ${isActive ? 'active' : ''}`}
      onMouseEnter={() => onActive(boxKey(box))}
      onMouseLeave={() => onActive(null)}
      onFocusIn={() => onActive(boxKey(box))}
      onFocusOut={() => onActive(null)}
    >
      {isExchange ? shape : <a href={link('queues', name)}>{shape}</a>}
    </g>
  );
}
