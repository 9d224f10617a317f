import { cut, visible, widthOf } from './visible.ts';

/** A column: its heading, and whether it gives way where the terminal is narrow. */
export type Column = { title: string; flexible?: boolean; alignRight?: boolean };
export type Cell = string | number | undefined;

const GAP = '  ';
const NARROWEST = 8;

/**
 * Rows as a table. Cells are made visible first, so that no text can leave its cell. With `width`, flexible columns share
 * what the others leave, and the last one takes what is left over; without it (a file, a pipe) nothing is cut.
 */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], width?: number): string {
  const cells = rows.map((row) => columns.map((_, at) => visible(String(row[at] ?? ''))));
  const wanted = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[at] ?? ''))),
  );
  const widths = width === undefined ? wanted : fitted(columns, wanted, width);
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => padded(cut(text, widths[at] ?? 0), widths[at] ?? 0, columns[at]?.alignRight ?? false))
      .join(GAP)
      .trimEnd();
  return [columns.map((column) => column.title.toUpperCase()), ...cells].map((row) => `${line(row)}\n`).join('');
}

/** Facts, one per line, with their names in a column. */
export function facts(entries: readonly (readonly [string, Cell])[]): string {
  const shown = entries.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown.map(([name, value]) => `${padded(name, width, false)}  ${visible(String(value))}\n`).join('');
}

function fitted(columns: readonly Column[], wanted: readonly number[], width: number): number[] {
  const widths = [...wanted];
  const flexible = columns.flatMap((column, at) => (column.flexible ? [at] : []));
  const total = (): number => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  // The widest gives way first, so that short cells stay whole.
  while (total() > width) {
    const widest = flexible.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined || (widths[widest] ?? 0) <= NARROWEST) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function padded(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? blanks + text : text + blanks;
}
