const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

export const DURATION = /^[1-9]\d{0,4}[smhd]$/;

/** The milliseconds of a text that {@link DURATION} matches. */
export function toMilliseconds(text: string): number {
  return Number(text.slice(0, -1)) * (UNITS.get(text.slice(-1)) ?? Number.NaN);
}

/** As it would be written in the file, in the largest unit that leaves nothing over. */
export function durationText(ms: number): string {
  const [unit, size] = [...UNITS].findLast(([, size]) => ms >= size && ms % size === 0) ?? ['s', 1000];
  return `${ms / size}${unit}`;
}
