import type { ComponentChildren, JSX } from 'preact';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand under each other. */
  readonly align?: 'right';
  /** Left out where the screen is narrow. */
  readonly wide?: boolean;
  readonly sortable?: boolean;
}

export interface Order {
  readonly key: string;
  readonly descending: boolean;
}

export interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly order?: Order;
  readonly onOrder?: (order: Order) => void;
}

/** A table with a caption for screen readers; wider than the screen, it scrolls by itself. */
export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { caption, columns, rows, rowKey } = props;
  return (
    <div class="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <HeadCell key={column.key} column={column} {...props} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) => (
                <td key={column.key} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HeadCell<Row>(props: TableProps<Row> & { readonly column: Column<Row> }): JSX.Element {
  const { column, order, onOrder } = props;
  const { key, title } = column;
  if (column.sortable !== true || onOrder === undefined) {
    return (
      <th scope="col" class={classOf(column)}>
        {title}
      </th>
    );
  }
  const isSorted = order?.key === key;
  const descending = isSorted && order.descending;
  return (
    <th
      scope="col"
      class={classOf(column)}
      aria-sort={isSorted ? (descending ? 'descending' : 'ascending') : 'none'}
    >
      <button
        type="button"
        class="sort"
        onClick={() => onOrder({ key, descending: isSorted ? !descending : key !== 'name' })}
      >
        {title}
        {isSorted && <span aria-hidden="true">{descending ? '↓' : '↑'}</span>}
      </button>
    </th>
  );
}

function classOf<Row>({ align, wide }: Column<Row>): string {
  return `${align === 'right' ? 'number' : ''} ${wide === true ? 'wide' : ''}`.trim();
}
