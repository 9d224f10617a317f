import { CommandError, EXIT } from './command.ts';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A place in the log: a sequence (`1200`), a time (`2026-01-31T08:00Z`), or how long ago (`90m`, `2d`). */
export function placeOf(text: string | undefined, now = new Date()): number | Date | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Math.max(1, Number(text));
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return new Date(now.getTime() - Number(count) * (UNITS[unit] ?? 0));
  const at = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at.getTime())) return at;
  throw new CommandError(
    EXIT.usage,
    `'${text}' is no place in the log: give a sequence (1200), a time (2026-01-31T08:00Z) or how long ago (90m, 2d).`,
  );
}
