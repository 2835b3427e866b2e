import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { StoredMessage } from '../api/types.ts';
import { formatBytes } from '../format.ts';

type View = 'tree' | 'text' | 'hex';

/** More of it would only make the page slow. */
const SHOWN_BYTES = 64 * 1_024;
const HEX_WIDTH = 16;
const CHILDREN_SHOWN = 200;
const OPEN_DEPTH = 2;

/** A payload as a tree (JSON), as text and as bytes. */
export function Payload({ message }: { readonly message: StoredMessage }): JSX.Element {
  const bytes = bytesOf(message);
  const isBytes = message.payloadEncoding === 'base64';
  const isJson = typeof message.payload !== 'string';
  const views: View[] = isJson ? ['tree', 'text', 'hex'] : ['text', 'hex'];
  const [chosen, setView] = useState<View | null>(null);
  const view = chosen ?? (isBytes ? 'hex' : views[0]!);
  return (
    <section class="payload" aria-label="Payload">
      <header>
        <h3>Payload</h3>
        <span class="faint">
          {message.contentType ?? (isJson ? 'application/json' : '')} {formatBytes(bytes.length)}
        </span>
        <div class="segments" role="group" aria-label="Show the payload as">
          {views.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={view === name}
              onClick={() => setView(name)}
            >
              {name}
            </button>
          ))}
        </div>
      </header>
      <div class="payload-body" tabIndex={0} role="region" aria-label={`Payload as ${view}`}>
        {view === 'tree' && <Node value={message.payload} depth={0} />}
        {view === 'text' && <pre>{textOf(message, bytes)}</pre>}
        {view === 'hex' && <pre>{hexOf(bytes)}</pre>}
        {bytes.length > SHOWN_BYTES && view !== 'tree' && (
          <p class="faint">The first {formatBytes(SHOWN_BYTES)} are shown.</p>
        )}
      </div>
    </section>
  );
}

function bytesOf({ payload, payloadEncoding }: StoredMessage): Uint8Array {
  if (payloadEncoding === 'base64') {
    return Uint8Array.from(atob(payload as string), (char) => char.codePointAt(0)!);
  }
  const text = typeof payload === 'string' ? payload : (JSON.stringify(payload) ?? '');
  return new TextEncoder().encode(text);
}

function textOf({ payload }: StoredMessage, bytes: Uint8Array): string {
  if (typeof payload !== 'string') return JSON.stringify(payload, null, 2).slice(0, SHOWN_BYTES);
  return new TextDecoder().decode(bytes.subarray(0, SHOWN_BYTES));
}

function hexOf(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, SHOWN_BYTES); at += HEX_WIDTH) {
    const row = [...bytes.subarray(at, at + HEX_WIDTH)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCodePoint(byte) : '·'));
    const offset = at.toString(16).padStart(6, '0');
    lines.push(`${offset}  ${hex.padEnd(HEX_WIDTH * 3)} ${text.join('')}`);
  }
  return lines.join('\n');
}

interface NodeProps {
  readonly name?: string;
  readonly value: unknown;
  readonly depth: number;
}

function Node({ name, value, depth }: NodeProps): JSX.Element {
  const label = name === undefined ? null : <span class="json-key">{name}: </span>;
  if (typeof value !== 'object' || value === null) {
    return (
      <div class="json-leaf">
        {label}
        <span class={`json-${value === null ? 'null' : typeof value}`}>
          {JSON.stringify(value) ?? 'undefined'}
        </span>
      </div>
    );
  }
  return <Branch name={label} value={value} depth={depth} />;
}

function Branch(props: {
  readonly name: JSX.Element | null;
  readonly value: object;
  readonly depth: number;
}): JSX.Element {
  const { name, value, depth } = props;
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH);
  const entries = Object.entries(value);
  const brackets = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return (
    <details
      class="json-branch"
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        {name}
        <span class="faint">{brackets}</span>
      </summary>
      {isOpen &&
        entries
          .slice(0, CHILDREN_SHOWN)
          .map(([key, child]) => <Node key={key} name={key} value={child} depth={depth + 1} />)}
      {isOpen && entries.length > CHILDREN_SHOWN && (
        <p class="faint">{entries.length - CHILDREN_SHOWN} more: see the text.</p>
      )}
    </details>
  );
}
