import { percentile } from './load.ts';

/** What is printed, and kept. */
export type Report = ReturnType<typeof createReport>;

export function createReport() {
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
    process.stdout.write(`${line}\n`);
  };
  return {
    say,
    /** A heading, then a table. */
    table: (heading: string, columns: string[], rows: string[][]): void => {
      say('');
      say(`## ${heading}`);
      say('');
      for (const row of [columns, columns.map(() => '---'), ...rows]) say(`| ${row.join(' | ')} |`);
    },
    text: () => `${lines.join('\n')}\n`,
  };
}

/** Half of the values, and all but 5 and 1 % of them, lie below these. */
export function percentiles(values: number[]): { p50: number; p95: number; p99: number } {
  return { p50: percentile(values, 0.5), p95: percentile(values, 0.95), p99: percentile(values, 0.99) };
}

/** The same of the turns of one run, where the machine was not equally fast in all of them. */
export function typical(turns: number[][]): string[] {
  return [0.5, 0.95, 0.99].map((share) => round(typicalOf(turns, share)));
}

export function typicalOf(turns: number[][], share: number): number {
  return median(turns.map((turn) => percentile(turn, share)));
}

/** The middle value, and of an even number of them what is between the two in the middle: there are few turns. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [below, above] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return ((below ?? Number.NaN) + (above ?? Number.NaN)) / 2;
}

export function triple(values: number[]): string[] {
  return Object.values(percentiles(values)).map((value) => round(value));
}

export function round(value: number, digits = 1): string {
  return value.toFixed(digits);
}
