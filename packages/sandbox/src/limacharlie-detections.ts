import { z } from 'zod';

/** A detection as the cloud keeps it: any record, in the order of arrival. */
export const StoredDetection = z.object({
  sequence: z.int(),
  at: z.int().describe('`gen_time`, or the arrival of a record without one, in milliseconds.'),
  record: z.record(z.string(), z.unknown()),
});
export type StoredDetection = z.infer<typeof StoredDetection>;

// Enough for any back-fill, and an end to how far a long bench run can grow.
const mostKept = 5000;

const Recognised = z.object({ detect_id: z.string().optional(), gen_time: z.number().optional() }).catch({});

/** Adds a record, unless one with the same `detect_id` is there already. */
export function keepDetection(kept: StoredDetection[], record: Record<string, unknown>): void {
  const { detect_id, gen_time = Date.now() } = Recognised.parse(record);
  if (detect_id !== undefined && kept.some((other) => other.record['detect_id'] === detect_id)) return;
  kept.push({ sequence: (kept.at(-1)?.sequence ?? 0) + 1, at: Math.floor(gen_time), record });
  if (kept.length > mostKept) kept.splice(0, kept.length - mostKept);
}

/** The copy the API hands out: with `ts`, which is not in a webhook's body. */
export function storedCopy({ at, record }: StoredDetection): Record<string, unknown> {
  return { ...record, ts: Math.floor(at / 1000) * 1000 };
}

export const DetectionQuery = z.object({
  start: z.coerce.number().describe('Seconds, inclusive.'),
  end: z.coerce.number().describe('Seconds, inclusive.'),
  cursor: z
    .union([z.literal('-').transform(() => 0), z.coerce.number()])
    .default(0)
    .describe('"-" begins; then what `next_cursor` said.'),
  limit: z.coerce.number().int().positive().max(1000).default(100),
  cat: z.string().optional(),
  is_compressed: z.stringbool().default(false),
});

/** One page of the detections of a time span, oldest first; an empty `next_cursor` ends it. */
export function pageOf(kept: StoredDetection[], query: z.infer<typeof DetectionQuery>) {
  const rest = kept.filter(
    ({ sequence, at, record }) =>
      sequence > query.cursor &&
      Math.floor(at / 1000) >= query.start &&
      Math.floor(at / 1000) <= query.end &&
      (query.cat === undefined || record['cat'] === query.cat),
  );
  const page = rest.slice(0, query.limit);
  return { detects: page.map(storedCopy), next_cursor: rest.length > page.length ? String(page.at(-1)?.sequence) : '' };
}
